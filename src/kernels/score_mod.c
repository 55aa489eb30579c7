/* score_mod.c - softcap, ALiBi, bias and mask, between the scores and the softmax.
 *
 * tanh(x) is (1 - e) / (1 + e) with e = 2^(-2 log2(e) |x|). Near 0 the difference 1 - e cancels. So
 * for |x| < 0.625 tanh(x) is x + x^3 P(x^2), with P of degree 5 from a Chebyshev fit (relative
 * error 6e-10). Every step works on each score alone, so a score's bits do not depend on its
 * neighbours.
 */
#include <float.h>
#include <math.h>

#include "kernels/exp2.h"

KERNEL_INLINE vfloat tanh_of(vfloat x) {
  const vfloat one = v_set1(1.0f), zero = v_set1(0.0f);
  const vfloat size = v_max(v_sub(zero, x), x);
  const vfloat e = exp2_of(v_mul(size, v_set1(-2.88539008177792681f)));
  const vfloat large = v_div(v_sub(one, e), v_add(one, e));
  const vfloat square = v_mul(x, x);
  vfloat p = v_set1(2.29274481618e-3f);
  p = v_fma(p, square, v_set1(-8.34394551584e-3f));
  p = v_fma(p, square, v_set1(2.1768918651e-2f));
  p = v_fma(p, square, v_set1(-5.39592595772e-2f));
  p = v_fma(p, square, v_set1(1.33333035569e-1f));
  p = v_fma(p, square, v_set1(-3.33333331721e-1f));
  const vfloat small = v_fma(v_mul(p, square), x, x);
  const vfloat signed_large = v_less(x, zero, v_sub(zero, large), large);
  return v_less(size, v_set1(0.625f), small, signed_large);
}

/* LANES biases from `at` on. Only the first `left` exist, and no other is read. */
KERNEL_INLINE vfloat load_bias(const KernelScoreMod *how, size_t at, size_t left) {
  const float *const bias = how->bias + at * how->bias_stride;
  if (how->bias_stride == 1) return v_load_first(left, bias);
  float gathered[LANES] = {0};
  for (size_t k = 0; k < LANES && k < left; k++) gathered[k] = bias[k * how->bias_stride];
  return v_load(gathered);
}

KERNEL_INLINE vfloat hide_masked(const KernelScoreMod *how, size_t at, size_t left, vfloat x) {
  const uint8_t *const mask = how->mask + at * how->mask_stride;
  if (how->mask_stride == 1) return v_hide(left, mask, x);
  uint8_t gathered[LANES] = {0};
  for (size_t k = 0; k < LANES && k < left; k++) gathered[k] = mask[k * how->mask_stride];
  return v_hide(left, gathered, x);
}

void MEMBER(score_mod)(size_t keys, const KernelScoreMod *how, float *scores) {
  static const float lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  _Static_assert(LANES <= 16, "lane[] counts the lanes");
  const vfloat hidden = v_set1(-INFINITY);
  /* The inverse of a subnormal cap may be infinite, and 0 times infinity would be NaN. */
  const vfloat cap = v_set1(how->softcap), inverse = v_set1(fminf(1.0f / how->softcap, FLT_MAX));
  for (size_t j = 0; j < keys; j += LANES) {
    const size_t left = keys - j;
    vfloat x = v_load(scores + j);
    if (how->softcap > 0.0f) x = v_mul(cap, tanh_of(v_mul(x, inverse)));
    if (how->slope != 0.0f) {
      const vfloat d = v_sub(v_set1(how->distance - (float)j), v_load(lane));
      x = v_fma(v_set1(-how->slope), v_max(v_sub(v_set1(0.0f), d), d), x);
    }
    if (how->bias) {
      const vfloat bias = load_bias(how, j, left);
      const vfloat sum = v_fma(bias, v_set1(1.44269504088896340736f), x);
      /* Only a bias of -inf hides a key. A finite bias must not, so sums stop at the lowest
       * float. */
      const vfloat kept = v_less(x, v_set1(-FLT_MAX), x, v_max(v_set1(-FLT_MAX), sum));
      x = v_less(bias, v_set1(-FLT_MAX), hidden, kept);
    }
    if (how->mask) x = hide_masked(how, j, left, x);
    v_store(scores + j, x);
  }
}
