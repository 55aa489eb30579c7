/* softmax_body.h - one step of the online softmax over the scores of a tile. */
#include <math.h>

#include "kernels/exp2_body.h"

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

/* The largest visible score, NaN left out; hidden scores are overwritten with -inf on the way. */
BODY_INLINE float row_maximum(size_t width, size_t first, size_t visible, float *scores) {
  const vfloat nothing = v_set1(-INFINITY);
  vfloat top = nothing;
  for (size_t j = 0; j < width; j += LANES) {
    vfloat x = v_load(scores + j);
    if (visible < j + LANES || first > j) {
      x = v_first(visible > j ? visible - j : 0, x, nothing);
      x = v_first(first > j ? first - j : 0, nothing, x);
      v_store(scores + j, x);
    }
    top = v_max(x, top);
  }
  return v_reduce_max(top);
}

/* scores := exp2(scores - shift); returns their sum. */
BODY_INLINE float row_weights(size_t width, float shift, float *scores) {
  const vfloat shifts = v_set1(shift);
  vfloat sum = v_set1(0.0f);
  for (size_t j = 0; j < width; j += LANES) {
    const vfloat w = exp2_of(v_sub(v_load(scores + j), shifts));
    v_store(scores + j, w);
    sum = v_add(sum, w);
  }
  return v_reduce_add(sum);
}

/* visible null: every row sees all of `width`. While a row has seen only scores of -inf its maximum
 * is -inf, and 0 stands in for it as the shift, so that all weights come out 0 and not NaN. */
BODY_INLINE void softmax_step(size_t rows, size_t width, const size_t *first, const size_t *visible,
                              float *scores, size_t score_stride, float *row_max, float *row_sum,
                              float *rescale) {
  float shift[ROWS], drop[ROWS] = {0};
  for (size_t r = 0; r < rows; r++) {
    const size_t begin = first ? first[r] : 0, end = visible ? visible[r] : width;
    const float top = row_maximum(width, begin, end, scores + r * score_stride);
    const float after = top > row_max[r] ? top : row_max[r];
    shift[r] = after == -INFINITY ? 0.0f : after;
    drop[r] = row_max[r] - shift[r];
    row_max[r] = after;
  }
  MEMBER(exp2)(rows, drop, rescale);
  for (size_t r = 0; r < rows; r++) {
    const float sum = row_weights(width, shift[r], scores + r * score_stride);
    if (visible && visible[r] <= (first ? first[r] : 0)) {
      rescale[r] = 1.0f;
    } else {
      row_sum[r] = row_sum[r] * rescale[r] + sum;
    }
  }
}

void MEMBER(softmax_full)(size_t rows, size_t width, float *scores, size_t score_stride,
                          float *row_max, float *row_sum, float *rescale) {
  softmax_step(rows, width, NULL, NULL, scores, score_stride, row_max, row_sum, rescale);
}

void MEMBER(softmax_ragged)(size_t rows, size_t width, const size_t *first, const size_t *visible,
                            float *scores, size_t score_stride, float *row_max, float *row_sum,
                            float *rescale) {
  softmax_step(rows, width, first, visible, scores, score_stride, row_max, row_sum, rescale);
}
