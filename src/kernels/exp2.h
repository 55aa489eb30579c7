/* exp2.h - the exponential that all kernels share.
 *
 * 2^x for x <= 0 is 2^n * p(f) with n = x rounded to an integer and f = x - n in [-1/2, 1/2]:
 *   - adding 1.5 * 2^23 + 127 leaves n + 127, the biased exponent, in the low bits of the sum;
 *   - x is first raised to -127, where that exponent is 0 and the factor is exactly 0;
 *   - p is the polynomial of degree 6 with p(0) = 1 whose largest relative error on the interval is
 *     smallest (Remez, 2.6e-9), so that the error is that of rounding, about 1 ULP.
 * NaN passes: v_max keeps its second operand, and p(NaN) is NaN whatever the factor.
 */
#ifndef ATTEND_SRC_KERNELS_EXP2_H
#define ATTEND_SRC_KERNELS_EXP2_H

#include "kernels/member.h"

/* x := 2^x for `count` vectors side by side: in a single vector every operation waits for the one
 * before. */
KERNEL_INLINE void exp2_of_vectors(const size_t count, vfloat x[VECTORS]) {
  static const float coefficients[] = {1.3406643905900112e-3f, 9.61769297476404e-3f,
                                       5.55031055099311e-2f,   2.4022652782877138e-1f,
                                       6.931472149680414e-1f,  1.0f};
  const vfloat magic = v_set1(0x1.8p23f + 127.0f), least = v_set1(-127.0f);
  vfloat biased[VECTORS], p[VECTORS];
  UNROLL for (size_t i = 0; i < count; i++) x[i] = v_max(least, x[i]);
  UNROLL for (size_t i = 0; i < count; i++) biased[i] = v_add(x[i], magic);
  UNROLL for (size_t i = 0; i < count; i++) x[i] = v_sub(x[i], v_sub(biased[i], magic));
  UNROLL for (size_t i = 0; i < count; i++) p[i] = v_set1(1.5594677584778843e-4f);
  UNROLL for (size_t k = 0; k < sizeof coefficients / sizeof *coefficients; k++) {
    const vfloat next = v_set1(coefficients[k]);
    UNROLL for (size_t i = 0; i < count; i++) p[i] = v_fma(p[i], x[i], next);
  }
  UNROLL for (size_t i = 0; i < count; i++) x[i] = v_mul(p[i], v_bits_to_exponent(biased[i]));
}

KERNEL_INLINE vfloat exp2_of(vfloat x) {
  vfloat one[VECTORS] = {x};
  exp2_of_vectors(1, one);
  return one[0];
}

#endif
