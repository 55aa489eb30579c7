/* head_norm.c - QK-norm: RMSNorm of one head.
 *
 * The square of a float is exact in double and cannot overflow there, so the sum of squares has the
 * rounding of dim sums in double alone, and an element is rounded to float once, at the end. The
 * order of the sum depends on dim alone. A head of zeros with an epsilon of 0 has no direction: it
 * becomes NaN, as the formula says.
 */
#include "layer/head_norm.h"

#include <math.h>

/* Sums that run side by side, so that the compiler can keep them in vectors. */
#define LANES 8

static double sum_of_squares(size_t dim, const float *head) {
  double sums[LANES] = {0.0};
  const size_t whole = dim / LANES * LANES;
  for (size_t d = 0; d < whole; d += LANES) {
    for (size_t l = 0; l < LANES; l++) sums[l] += (double)head[d + l] * (double)head[d + l];
  }
  for (size_t d = whole; d < dim; d++) sums[d - whole] += (double)head[d] * (double)head[d];
  double sum = 0.0;
  for (size_t l = 0; l < LANES; l++) sum += sums[l];
  return sum;
}

void head_norm(const float *weight, double epsilon, size_t dim, float *head) {
  const double factor = 1.0 / sqrt(sum_of_squares(dim, head) / (double)dim + epsilon);
  for (size_t d = 0; d < dim; d++) {
    head[d] = (float)(factor * (double)head[d] * (double)weight[d]);
  }
}
