/* pack_weight_pairs.c - the weights of softmax as pairs of bf16, on their way to the weighted sum.
 *
 * Every weight of a call passes here, between the exponential and the product. Weights are NaN or
 * lie in 0 .. 1, so no term is infinite, which saves a test for each. An ISA that multiplies bf16
 * also has an instruction that rounds to it (v_store_term); in the others rounding takes some nine
 * operations on integers.
 */
#include "kernels/member.h"

#ifndef ISA_HAS_BF16_DOT
/* Stores the first term of x and returns the remainder. */
KERNEL_INLINE vfloat v_store_term(uint32_t *pairs, vfloat x) {
  const vfloat term = v_bf16(x);
  v_store_halves(pairs, term);
  return v_sub(x, term);
}
#endif

KERNEL_INLINE void store_terms(vfloat x, const size_t terms, size_t term_stride, uint32_t *pairs) {
  UNROLL for (size_t p = 0; p < terms; p++) {
    x = v_store_term(pairs + p * term_stride, x);
  }
}

KERNEL_INLINE void weights_to_pairs(size_t rows, size_t keys, const float *weights,
                                    size_t weight_stride, const size_t terms, size_t term_stride,
                                    size_t row_stride, uint32_t *pairs) {
  const size_t step = 2 * KERNEL_STEP, whole = keys / LANES * LANES;
  for (size_t r = 0; r < rows; r++, weights += weight_stride, pairs += row_stride) {
    size_t j = 0;
    for (; j < whole; j += LANES) {
      store_terms(v_load(weights + j), terms, term_stride, pairs + j / 2);
    }
    for (; j < (keys + step - 1) / step * step; j += LANES) {
      const vfloat last = j < keys ? v_load_first(keys - j, weights + j) : v_set1(0.0f);
      store_terms(last, terms, term_stride, pairs + j / 2);
    }
  }
}

void MEMBER(pack_weight_pairs)(size_t rows, size_t keys, const float *weights, size_t weight_stride,
                               size_t terms, size_t term_stride, size_t row_stride,
                               uint32_t *pairs) {
#define WEIGHTS_TO_PAIRS(n)                                                                        \
  weights_to_pairs(rows, keys, weights, weight_stride, n, term_stride, row_stride, pairs)
  if (terms == 1) {
    WEIGHTS_TO_PAIRS(1);
  } else if (terms == 2) {
    WEIGHTS_TO_PAIRS(2);
  } else {
    WEIGHTS_TO_PAIRS(3);
  }
#undef WEIGHTS_TO_PAIRS
}
