/* gemm_mixed.c - rows in fp32 by panels of bf16 or fp16 pairs, which are widened in registers.
 *
 * For decode over 16-bit weights and caches: half the bytes come from memory, and each lane of a
 * loaded vector gives two factors, in bf16 by a shift and a mask. An element is the chain of
 * multiply-adds of scores.c and weighted_sum.c, so that the bits are those of the widened panel.
 */
#include "kernels/block_sums.h"

/* As in member.h, and always in fp16, whose conversion takes so long that the processor's
 * prefetchers go idle: LLaMA-7B, one row against 4096 keys, 2.7 ms with and 3.4 without; in
 * bf16 3.4 with and 3.1 without. */
#define MIXED_PREFETCHES(number, rows) ((number) == KERNEL_FP16 || PREFETCHES(rows))

/* `width` columns of one panel. */
KERNEL_INLINE void mixed_block(const KernelNumber number, const size_t rows, size_t depth,
                               size_t width, const float *a, size_t a_stride, KernelPairs b,
                               const float *rescale, float *c, size_t c_stride) {
  for (size_t j = 0; j < width; j += BLOCK_COLUMNS) {
    const uint32_t *const panel = b.pairs + j;
    vfloat sum[BLOCK_ROWS][VECTORS];
    load_sums(rows, rescale, c + j, c_stride, sum);
    for (size_t i = 0; i < depth; i += 2) {
      const uint32_t *const at = panel + i / 2 * KERNEL_PANEL;
      vpair column[VECTORS];
      if (MIXED_PREFETCHES(number, rows)) {
        prefetch_panel_row((const float *)(const void *)at);
      }
      vfloat low[VECTORS], high[VECTORS];
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        column[v] = v_load_pair(at + v * LANES);
        low[v] = widened_low(number, column[v]);
      }
      UNROLL for (size_t r = 0; r < rows; r++) {
        const vfloat first = v_set1(a[r * a_stride + i]);
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
          sum[r][v] = v_fma(first, low[v], sum[r][v]);
        }
      }
      if (i + 1 == depth) break;
      UNROLL for (size_t v = 0; v < VECTORS; v++) high[v] = widened_high(number, column[v]);
      UNROLL for (size_t r = 0; r < rows; r++) {
        const vfloat second = v_set1(a[r * a_stride + i + 1]);
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
          sum[r][v] = v_fma(second, high[v], sum[r][v]);
        }
      }
    }
    store_sums(rows, c + j, c_stride, sum);
  }
}

/* Panel by panel, as gemm_bf16.c. */
KERNEL_INLINE void mixed_panels(const KernelNumber number, size_t rows, size_t depth, size_t width,
                                const float *a, size_t a_stride, KernelPairs b,
                                const float *rescale, float *c, size_t c_stride) {
  for (size_t j = 0; j < width; j += KERNEL_PANEL) {
    const size_t columns = width - j < KERNEL_PANEL ? width - j : KERNEL_PANEL;
    for (size_t r = 0; r < rows; r += BLOCK_ROWS) {
      const size_t here = rows - r < BLOCK_ROWS ? rows - r : BLOCK_ROWS;
      const float *const factors = rescale ? rescale + r : NULL;
#define MIXED_BLOCK(n)                                                                             \
  mixed_block(number, n, depth, columns, a + r * a_stride, a_stride, b, factors,                   \
              c + r * c_stride + j, c_stride)
      FOR_ROWS(here, MIXED_BLOCK)
#undef MIXED_BLOCK
    }
    b.pairs += b.stride;
  }
}

void MEMBER(gemm_mixed)(size_t rows, size_t depth, size_t width, const float *a, size_t a_stride,
                        KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  if (b.number == KERNEL_FP16) {
    mixed_panels(KERNEL_FP16, rows, depth, width, a, a_stride, b, rescale, c, c_stride);
  } else {
    mixed_panels(KERNEL_BF16, rows, depth, width, a, a_stride, b, rescale, c, c_stride);
  }
}
