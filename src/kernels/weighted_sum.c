/* weighted_sum.c - weighted sums of value rows, added to rescaled earlier sums.
 *
 * The register block is that of scores.c with other operands: a vector runs over columns of V, and
 * a broadcast is one weight. Every sum is one chain of multiply-adds over keys in their order, so
 * that a row's bits do not depend on the rows beside it or on how its keys were cut into calls.
 */
#include "kernels/member.h"

KERNEL_INLINE void weighted_sum_of_rows(const size_t rows, size_t keys, size_t width,
                                        const float *weights, size_t weight_stride,
                                        const float *values, size_t panel_stride,
                                        const float *rescale, float *sum, size_t sum_stride) {
  for (size_t c = 0; c < width; c += BLOCK_COLUMNS) {
    const float *const panel = values + c / KERNEL_PANEL * panel_stride + c % KERNEL_PANEL;
    vfloat total[BLOCK_ROWS][VECTORS];
    UNROLL for (size_t r = 0; r < rows; r++) {
      const vfloat factor = v_set1(rescale ? rescale[r] : 1.0f);
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        total[r][v] = v_mul(factor, v_load(sum + r * sum_stride + c + v * LANES));
      }
    }
    for (size_t j = 0; j < keys; j++) {
      vfloat value[VECTORS];
      if (PREFETCHES(rows)) prefetch_panel_row(panel + j * KERNEL_PANEL);
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        value[v] = v_load(panel + j * KERNEL_PANEL + v * LANES);
      }
      UNROLL for (size_t r = 0; r < rows; r++) {
        const vfloat w = v_set1(weights[r * weight_stride + j]);
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
          total[r][v] = v_fma(w, value[v], total[r][v]);
        }
      }
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        v_store(sum + r * sum_stride + c + v * LANES, total[r][v]);
      }
    }
  }
}

void MEMBER(weighted_sum)(size_t rows, size_t keys, size_t width, const float *weights,
                          size_t weight_stride, const float *values, size_t panel_stride,
                          const float *rescale, float *sum, size_t sum_stride) {
#define WEIGHTED_SUM(n)                                                                            \
  weighted_sum_of_rows(n, keys, width, weights, weight_stride, values, panel_stride, rescale, sum, \
                       sum_stride)
  FOR_ROWS(rows, WEIGHTED_SUM)
#undef WEIGHTED_SUM
}
