/* softmax_body.h - one step of the online softmax over the scores of a tile, and its exponential.
 *
 * 2^x for x <= 0 is 2^n * p(f) with n = x rounded to an integer and f = x - n in [-1/2, 1/2]:
 *   - adding 1.5 * 2^23 + 127 leaves n + 127, the biased exponent, in the low bits of the sum;
 *   - x is first raised to -127, where that exponent is 0 and the factor is exactly 0;
 *   - p is the polynomial of degree 6 with p(0) = 1 whose largest relative error on the interval is
 *     smallest (Remez, 2.6e-9), so that the error is that of rounding, about 1 ULP.
 * NaN passes: v_max keeps its second operand, and p(NaN) is NaN whatever the factor.
 */
#include <math.h>

#include "kernels/body.h"

BODY_INLINE vfloat exp2_of(vfloat x) {
  const vfloat magic = v_set1(0x1.8p23f + 127.0f);
  x = v_max(v_set1(-127.0f), x);
  const vfloat biased = v_add(x, magic);
  const vfloat f = v_sub(x, v_sub(biased, magic));
  vfloat p = v_set1(1.5594677584778843e-4f);
  p = v_fma(p, f, v_set1(1.3406643905900112e-3f));
  p = v_fma(p, f, v_set1(9.61769297476404e-3f));
  p = v_fma(p, f, v_set1(5.55031055099311e-2f));
  p = v_fma(p, f, v_set1(2.4022652782877138e-1f));
  p = v_fma(p, f, v_set1(6.931472149680414e-1f));
  p = v_fma(p, f, v_set1(1.0f));
  return v_mul(p, v_bits_to_exponent(biased));
}

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
BODY_INLINE float row_maximum(size_t width, size_t visible, float *scores) {
  const vfloat nothing = v_set1(-INFINITY);
  vfloat top = nothing;
  for (size_t j = 0; j < width; j += LANES) {
    vfloat x = v_load(scores + j);
    if (visible < j + LANES) {
      x = v_first(visible > j ? visible - j : 0, x, nothing);
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
BODY_INLINE void softmax_step(size_t rows, size_t width, const size_t *visible, float *scores,
                              size_t score_stride, float *row_max, float *row_sum, float *rescale) {
  float shift[ROWS], drop[ROWS] = {0};
  for (size_t r = 0; r < rows; r++) {
    const size_t seen = visible ? visible[r] : width;
    const float top = row_maximum(width, seen, scores + r * score_stride);
    const float after = top > row_max[r] ? top : row_max[r];
    shift[r] = after == -INFINITY ? 0.0f : after;
    drop[r] = row_max[r] - shift[r];
    row_max[r] = after;
  }
  MEMBER(exp2)(rows, drop, rescale);
  for (size_t r = 0; r < rows; r++) {
    const float sum = row_weights(width, shift[r], scores + r * score_stride);
    if (visible && visible[r] == 0) {
      rescale[r] = 1.0f;
    } else {
      row_sum[r] = row_sum[r] * rescale[r] + sum;
    }
  }
}

void MEMBER(softmax_full)(size_t rows, size_t width, float *scores, size_t score_stride,
                          float *row_max, float *row_sum, float *rescale) {
  softmax_step(rows, width, NULL, scores, score_stride, row_max, row_sum, rescale);
}

void MEMBER(softmax_ragged)(size_t rows, size_t width, const size_t *visible, float *scores,
                            size_t score_stride, float *row_max, float *row_sum, float *rescale) {
  softmax_step(rows, width, visible, scores, score_stride, row_max, row_sum, rescale);
}
