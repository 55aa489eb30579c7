/* project.c - linear maps through the BLAS.
 *
 * The bias is written into y first and the product added to it, so that it costs no second pass.
 * One row is a matrix-vector product: OpenBLAS does not forward it to its GEMV, and its GEMM reads
 * the weights at a fraction of the memory's speed then.
 */
#include "project.h"

#include <string.h>

#include "blas.h"
#include "parallel.h"

static void add_bias(const Linear *linear, float *y) {
  for (size_t o = 0; linear->bias && o < linear->out; o++) y[o] += linear->bias[o];
}

void project_with_blas(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                       float *y) {
  if (rows == 0) return;
  BlasScope scope;
  blas_begin(&scope, parallel_allowed(context->settings.threads));
  if (rows == 1) {
    blas_gemv(linear->in, linear->out, 1.0f, linear->weight, linear->out, true, x, 1, y, 1);
    add_bias(linear, y);
  } else {
    for (size_t r = 0; linear->bias && r < rows; r++) {
      memcpy(y + r * linear->out, linear->bias, linear->out * sizeof *y);
    }
    blas_gemm(rows, linear->out, linear->in, 1.0f, x, linear->in, linear->weight, linear->out,
              false, linear->bias ? 1.0f : 0.0f, y, linear->out);
  }
  blas_end(&scope);
}
