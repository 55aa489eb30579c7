/* exp2_body.h - the exponential that all kernels share.
 *
 * 2^x for x <= 0 is 2^n * p(f) with n = x rounded to an integer and f = x - n in [-1/2, 1/2]:
 *   - adding 1.5 * 2^23 + 127 leaves n + 127, the biased exponent, in the low bits of the sum;
 *   - x is first raised to -127, where that exponent is 0 and the factor is exactly 0;
 *   - p is the polynomial of degree 6 with p(0) = 1 whose largest relative error on the interval is
 *     smallest (Remez, 2.6e-9), so that the error is that of rounding, about 1 ULP.
 * NaN passes: v_max keeps its second operand, and p(NaN) is NaN whatever the factor.
 */
#ifndef ATTEND_SRC_KERNELS_EXP2_BODY_H
#define ATTEND_SRC_KERNELS_EXP2_BODY_H

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

#endif
