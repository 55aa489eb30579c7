/* softmax.c - one step of the online softmax over the scores of a tile.
 *
 * Three passes over the scores, which lie in L1: the maxima of all rows side by side, the weights,
 * row by row and several vectors side by side, and the sums of all rows side by side. Each pass has
 * enough independent work to hide the latency of an operation.
 */
#include <math.h>

#include "kernels/exp2.h"

void MEMBER(exp2)(size_t count, const float *x, float *y) {
  for (size_t i = 0; i < count; i += LANES) {
    const size_t left = count - i;
    if (left >= LANES) {
      v_store(y + i, exp2_of(v_load(x + i)));
    } else {
      float last[LANES];
      v_store(last, exp2_of(v_load_first(left, x + i)));
      for (size_t k = 0; k < left; k++) y[i + k] = last[k];
    }
  }
}

/* Scores outside first .. visible become -inf, so that they are no maximum and get weight 0. */
KERNEL_INLINE void hide_scores(size_t width, size_t first, size_t visible, float *scores) {
  const vfloat nothing = v_set1(-INFINITY);
  size_t j = 0;
  for (; j < first; j += LANES) {
    v_store(scores + j, v_first(first - j, nothing, v_load(scores + j)));
  }
  for (j = visible / LANES * LANES; j < width; j += LANES) {
    v_store(scores + j, v_first(visible > j ? visible - j : 0, v_load(scores + j), nothing));
  }
}

/* The largest score of each row; NaN is ignored. All rows go side by side, here and in the sums
 * below, because the operations of one row wait for each other. */
KERNEL_INLINE void find_maxima(const size_t rows, size_t width, const float *scores,
                               size_t score_stride, float maximum[BLOCK_ROWS]) {
  vfloat top[BLOCK_ROWS];
  UNROLL for (size_t r = 0; r < rows; r++) top[r] = v_set1(-INFINITY);
  for (size_t j = 0; j < width; j += LANES) {
    UNROLL for (size_t r = 0; r < rows; r++) {
      top[r] = v_max(v_load(scores + r * score_stride + j), top[r]);
    }
  }
  UNROLL for (size_t r = 0; r < rows; r++) maximum[r] = v_reduce_max(top[r]);
}

KERNEL_INLINE void find_sums(const size_t rows, size_t width, const float *weights,
                             size_t weight_stride, float sums[BLOCK_ROWS]) {
  vfloat sum[BLOCK_ROWS];
  UNROLL for (size_t r = 0; r < rows; r++) sum[r] = v_set1(0.0f);
  for (size_t j = 0; j < width; j += LANES) {
    UNROLL for (size_t r = 0; r < rows; r++) {
      sum[r] = v_add(sum[r], v_load(weights + r * weight_stride + j));
    }
  }
  UNROLL for (size_t r = 0; r < rows; r++) sums[r] = v_reduce_add(sum[r]);
}

/* Scores := exp2(scores - shift). */
KERNEL_INLINE void exp2_of_row(size_t width, float shift, float *scores) {
  const vfloat shifts = v_set1(shift);
  for (size_t j = 0; j < width; j += BLOCK_COLUMNS) {
    vfloat x[VECTORS];
    UNROLL for (size_t v = 0; v < VECTORS; v++) {
      x[v] = v_sub(v_load(scores + j + v * LANES), shifts);
    }
    exp2_of_vectors(VECTORS, x);
    UNROLL for (size_t v = 0; v < VECTORS; v++) v_store(scores + j + v * LANES, x[v]);
  }
}

/* While a row has seen only scores of -inf its maximum is -inf, and 0 stands in for it as the
 * shift, so that all weights come out 0 and not NaN. */
KERNEL_INLINE void softmax_step(const size_t rows, size_t width, float *scores, size_t score_stride,
                                float *row_max, float *row_sum, float *rescale) {
  float found[BLOCK_ROWS], shift[BLOCK_ROWS], drop[LANES] = {0}, factor[LANES];
  find_maxima(rows, width, scores, score_stride, found);
  UNROLL for (size_t r = 0; r < rows; r++) {
    const float after = found[r] > row_max[r] ? found[r] : row_max[r];
    shift[r] = after == -INFINITY ? 0.0f : after;
    drop[r] = row_max[r] - shift[r];
    row_max[r] = after;
  }
  v_store(factor, exp2_of(v_load(drop)));
  for (size_t r = 0; r < rows; r++) exp2_of_row(width, shift[r], scores + r * score_stride);
  find_sums(rows, width, scores, score_stride, found);
  UNROLL for (size_t r = 0; r < rows; r++) {
    rescale[r] = factor[r];
    row_sum[r] = row_sum[r] * factor[r] + found[r];
  }
}

_Static_assert(BLOCK_ROWS <= LANES, "the factors of a block are one vector");

void MEMBER(softmax_full)(size_t rows, size_t width, float *scores, size_t score_stride,
                          float *row_max, float *row_sum, float *rescale) {
#define SOFTMAX(n) softmax_step(n, width, scores, score_stride, row_max, row_sum, rescale)
  FOR_ROWS(rows, SOFTMAX)
#undef SOFTMAX
}

/* A row that sees no key keeps m and l, and its sums are not rescaled. */
void MEMBER(softmax_ragged)(size_t rows, size_t width, const size_t *first, const size_t *visible,
                            float *scores, size_t score_stride, float *row_max, float *row_sum,
                            float *rescale) {
  float before[BLOCK_ROWS];
  for (size_t r = 0; r < rows; r++) {
    hide_scores(width, first ? first[r] : 0, visible[r], scores + r * score_stride);
    before[r] = row_sum[r];
  }
  MEMBER(softmax_full)(rows, width, scores, score_stride, row_max, row_sum, rescale);
  for (size_t r = 0; r < rows; r++) {
    if (visible[r] > (first ? first[r] : 0)) continue;
    row_sum[r] = before[r];
    rescale[r] = 1.0f;
  }
}
