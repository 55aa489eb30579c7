/* rope.h - rotary position embedding: frequencies, rows of cosines and sines, rotated heads. */
#ifndef ATTEND_SRC_LAYER_ROPE_H
#define ATTEND_SRC_LAYER_ROPE_H

#include "attend/attend.h"
#include "fault.h"

/* An embedding that was checked, as packed weights keep it. It has frequencies or tables. */
typedef struct Rope {
  AttendRopePairing pairing; /* NONE: heads are left as they are, and nothing below is set */
  size_t dims;               /* the first ones of a head are rotated; never 0 */
  double attention_factor;   /* of cosines and sines; 1 by default */
  const double *frequencies; /* [dims/2] radians per position, or null */
  const float *cos, *sin;    /* [table_positions, dims/2] or null */
  size_t table_positions;
} Rope;

/* Checks the setting for heads of head_dim: NULL_POINTER, MISALIGNED, BAD_OPTION, OVERFLOW. Without
 * pairing no other field is checked; with tables the fields of the formula are not. */
AttendStatus rope_check(const AttendRope *rope, size_t head_dim, Fault *fault);

/* Dimensions that are rotated; the default, 0, is head_dim. */
size_t rope_dims(const AttendRope *rope, size_t head_dim);

/* The radians by which each pair is rotated per position, [dims/2], and the factor of cosines and
 * sines. */
void rope_set_frequencies(const AttendRope *rope, size_t dims, double *frequencies);
double rope_attention_factor(const AttendRope *rope);

/* Checks that positions first .. last are in the table, if there is one. first <= last. */
AttendStatus rope_check_positions(const Rope *rope, int64_t first, int64_t last, Fault *fault);

/* Cosines and sines of one position, [dims/2] each. */
typedef struct RopeRow {
  const float *cos, *sin;
} RopeRow;

/* The row of a checked position: in the table, or computed into scratch [dims]. */
RopeRow rope_row(const Rope *rope, int64_t position, float *scratch);

/* Rotates one head in place. */
void rope_rotate(const Rope *rope, RopeRow row, float *head);

#endif
