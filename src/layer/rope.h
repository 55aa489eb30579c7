/* rope.h - rotary position embedding: frequencies, rows of cosines and sines, and turned heads. */
#ifndef ATTEND_SRC_ROPE_H
#define ATTEND_SRC_ROPE_H

#include "attend/attend.h"
#include "fault.h"

/* An embedding that was checked, as packed weights keep it. It has frequencies or tables. */
typedef struct Rope {
  AttendRopePairing pairing; /* NONE: heads are left as they are, and nothing below is set */
  size_t dims;               /* of a head turn, the first ones; never 0 */
  double attention_factor;   /* of cosines and sines; 1 where there is none */
  const double *frequencies; /* [dims/2] radians per position, or null */
  const float *cos, *sin;    /* [table_positions, dims/2] or null */
  size_t table_positions;
} Rope;

/* Checks the setting for heads of head_dim: NULL_POINTER, MISALIGNED, BAD_OPTION, OVERFLOW. Of
 * one without pairing nothing else is looked at, and of one with tables nothing that the formula
 * reads. */
AttendStatus rope_check(const AttendRope *rope, size_t head_dim, Fault *fault);

/* Dimensions that turn, the default already put in. */
size_t rope_dims(const AttendRope *rope, size_t head_dim);

/* The radians that each pair turns per position, [dims/2], and the factor of cosines and sines. */
void rope_set_frequencies(const AttendRope *rope, size_t dims, double *frequencies);
double rope_attention_factor(const AttendRope *rope);

/* Checks that positions first .. last, in this order, are in the table if there is one. */
AttendStatus rope_check_positions(const Rope *rope, int64_t first, int64_t last, Fault *fault);

/* Cosines and sines of one position, [dims/2] each. */
typedef struct RopeRow {
  const float *cos, *sin;
} RopeRow;

/* The row of a position that was checked. It stands in the table, or in scratch [dims]. */
RopeRow rope_row(const Rope *rope, int64_t position, float *scratch);

/* Turns one head in place. */
void rope_rotate(const Rope *rope, RopeRow row, float *head);

#endif
