/* block_sums.h - the sums of a register block, which the kernels that multiply pairs share.
 *
 * v_dot adds the two products of each lane's pairs to the lane's sum. Without an instruction for
 * it, it does two multiply-adds in fp32, the first product before the second.
 */
#ifndef ATTEND_SRC_KERNELS_BLOCK_SUMS_H
#define ATTEND_SRC_KERNELS_BLOCK_SUMS_H

#include "kernels/member.h"

#ifndef ISA_HAS_BF16_DOT
KERNEL_INLINE vfloat v_dot(vpair a, vpair b, vfloat sum) {
  return v_fma(v_high(a), v_high(b), v_fma(v_low(a), v_low(b), sum));
}
#endif

/* rescale[r] * c, or zero without reading c if there is no rescale. */
KERNEL_INLINE void load_sums(const size_t rows, const float *rescale, const float *c,
                             size_t c_stride, vfloat sum[BLOCK_ROWS][VECTORS]) {
  UNROLL for (size_t r = 0; r < rows; r++) {
    const vfloat factor = v_set1(rescale ? rescale[r] : 0.0f);
    UNROLL for (size_t v = 0; v < VECTORS; v++) {
      sum[r][v] = rescale ? v_mul(factor, v_load(c + r * c_stride + v * LANES)) : v_set1(0.0f);
    }
  }
}

/* Adds c, or rescale[r] * c where there is a rescale. */
KERNEL_INLINE void add_sums(const size_t rows, const float *rescale, const float *c,
                            size_t c_stride, vfloat sum[BLOCK_ROWS][VECTORS]) {
  UNROLL for (size_t r = 0; r < rows; r++) {
    const vfloat factor = v_set1(rescale ? rescale[r] : 1.0f);
    UNROLL for (size_t v = 0; v < VECTORS; v++) {
      const vfloat before = v_load(c + r * c_stride + v * LANES);
      sum[r][v] = v_fma(factor, before, sum[r][v]);
    }
  }
}

KERNEL_INLINE void store_sums(const size_t rows, float *c, size_t c_stride,
                              vfloat sum[BLOCK_ROWS][VECTORS]) {
  UNROLL for (size_t r = 0; r < rows; r++) {
    UNROLL for (size_t v = 0; v < VECTORS; v++) {
      v_store(c + r * c_stride + v * LANES, sum[r][v]);
    }
  }
}

#endif
