/* linear.h - a weight matrix with its bias, as projections read it.
 *
 * In fp32 it lies row-major, as the BLAS wants it. In 16 bits it lies in panels of KERNEL_PANEL
 * columns, each with all of its terms one after the other:
 *
 *   [ceil(out / P)][terms][pairs of inputs][P]
 *
 * So a panel is one run of memory, whatever the precision that reads it.
 */
#ifndef ATTEND_SRC_LAYER_LINEAR_H
#define ATTEND_SRC_LAYER_LINEAR_H

#include "context.h"
#include "storage/storage.h"
#include "storage/stored_matrix.h"

typedef struct Linear {
  size_t in, out;
  StoredMatrix weight; /* [in, out] */
  const float *bias;   /* [out] or null */
} Linear;

/* A matrix of a source with its bias, and where its columns go. */
typedef struct LinearPart {
  const float *weight, *bias;
  size_t columns, first_column;
} LinearPart;

/* Where the numbers of a Linear come from: parts side by side, for some or all of its inputs. */
typedef struct LinearSource {
  const LinearPart *parts;
  size_t count;
  AttendOrientation orientation;
  size_t first_input, inputs;
} LinearSource;

/* Reserves the matrix's place in a layout and returns its offset. */
size_t linear_reserve(Layout *layout, size_t in, size_t out, AttendStorage storage);

/* The matrix at its place and with its bias, or null, both to be filled. */
Linear linear_at(size_t in, size_t out, AttendStorage storage, void *matrix, const float *bias);

/* Fills the columns and inputs that the source has. Both begin at multiples of KERNEL_PANEL and end
 * at one, or with the matrix. */
void linear_fill(const AttendContext *context, const LinearSource *source, const Linear *linear);

/* Fills the bias with those of all parts, zeros where one has none. */
void linear_fill_bias(const LinearPart *parts, size_t count, float *bias);

/* Bytes of the matrix in its storage, without padding. */
double linear_bytes(const Linear *linear);

#endif
