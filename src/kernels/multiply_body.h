/* multiply_body.h - products of bf16 pairs, summed in fp32: scores, weighted sums and projections.
 *
 *              columns of a tile (TILE wide, inside a panel of KERNEL_PANEL)
 *    pair i    [ bb bb bb bb | bb bb bb bb ]   VECTORS loads, a lane is a pair
 *   a row 0 aa    acc acc                      one broadcast a row,
 *   a row 1 aa    acc acc                      VECTORS dot products each
 *      ...
 *
 * Order 1 keeps its sums in registers from the first pair to the last. Orders 2 and 3 begin anew for
 * each KERNEL_CHAIN pairs: the products of small planes first, while the sums are small and round
 * little, those of the large planes at last, and then all is added to c, which stays in L1. So the sum
 * of three products rounds no more often at its full size than fp32 does, and that of six neither.
 */
#include "kernels/multiply.h"

BODY_INLINE void multiply_step(const size_t rows, const uint32_t *a, size_t a_stride,
                               const uint32_t *b, vfloat sum[ROWS][VECTORS]) {
  for (size_t i = 0; i < KERNEL_STEP; i++) {
    const uint32_t *const at = b + i * KERNEL_PANEL;
    vpair column[VECTORS];
    if (BODY_PREFETCHES(rows)) body_prefetch_panel_row((const float *)(const void *)at);
    BODY_UNROLL for (size_t v = 0; v < VECTORS; v++) column[v] = v_load_pair(at + v * LANES);
    BODY_UNROLL for (size_t r = 0; r < rows; r++) {
      const vpair row = v_set1_pair(a[r * a_stride + i]);
      BODY_UNROLL for (size_t v = 0; v < VECTORS; v++) {
        sum[r][v] = v_dot(row, column[v], sum[r][v]);
      }
    }
  }
}

/* The products of pairs from .. to of planes p of a and q of b. */
BODY_INLINE void multiply_planes(const size_t rows, size_t from, size_t to, KernelPairs a, size_t p,
                                 KernelPairs b, size_t q, vfloat sum[ROWS][VECTORS]) {
  for (size_t i = from; i < to; i += KERNEL_STEP) {
    multiply_step(rows, a.pairs + p * a.plane_stride + i, a.stride,
                  b.pairs + q * b.plane_stride + i * KERNEL_PANEL, sum);
  }
}

/* One tile of c, whose columns b.pairs points to. */
BODY_INLINE void multiply_chain(const size_t rows, size_t pairs, KernelPairs a, KernelPairs b,
                                const float *rescale, float *c, size_t c_stride) {
  vfloat sum[ROWS][VECTORS];
  load_sums(rows, rescale, c, c_stride, sum);
  multiply_planes(rows, 0, pairs, a, 0, b, 0, sum);
  store_sums(rows, c, c_stride, sum);
}

/* The same with more than one plane. */
BODY_INLINE void multiply_chains(const size_t rows, size_t pairs, size_t order, KernelPairs a,
                                 KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  for (size_t from = 0; from < pairs; from += KERNEL_CHAIN) {
    const size_t to = pairs - from < KERNEL_CHAIN ? pairs : from + KERNEL_CHAIN;
    vfloat sum[ROWS][VECTORS];
    load_sums(rows, NULL, c, c_stride, sum);
    for (size_t level = order; level-- > 0;) {
      for (size_t p = 0; p <= level; p++) {
        if (p < a.planes && level - p < b.planes) {
          multiply_planes(rows, from, to, a, p, b, level - p, sum);
        }
      }
    }
    if (from > 0) {
      add_sums(rows, NULL, c, c_stride, sum);
    } else if (rescale) {
      add_sums(rows, rescale, c, c_stride, sum);
    }
    store_sums(rows, c, c_stride, sum);
  }
}

/* `width` columns of one panel. */
BODY_INLINE void multiply_rows(const size_t rows, size_t pairs, size_t width, size_t order,
                               KernelPairs a, KernelPairs b, const float *rescale, float *c,
                               size_t c_stride) {
  for (size_t j = 0; j < width; j += TILE) {
    KernelPairs columns = b;
    columns.pairs += j;
    if (order == 1) {
      multiply_chain(rows, pairs, a, columns, rescale, c + j, c_stride);
    } else {
      multiply_chains(rows, pairs, order, a, columns, rescale, c + j, c_stride);
    }
  }
}

/* Panel by panel, so that one that comes from memory is in cache for the second block of rows. */
void MEMBER(multiply)(size_t rows, size_t pairs, size_t width, size_t order, KernelPairs a,
                      KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  for (size_t j = 0; j < width; j += KERNEL_PANEL) {
    const size_t columns = width - j < KERNEL_PANEL ? width - j : KERNEL_PANEL;
    KernelPairs from = a;
    for (size_t r = 0; r < rows; r += ROWS) {
      const size_t here = rows - r < ROWS ? rows - r : ROWS;
      const float *const factors = rescale ? rescale + r : NULL;
#define MULTIPLY(n)                                                                                \
  multiply_rows(n, pairs, columns, order, from, b, factors, c + r * c_stride + j, c_stride)
      BODY_FOR_ROWS(here, MULTIPLY)
#undef MULTIPLY
      from.pairs += ROWS * a.stride;
    }
    b.pairs += b.stride;
  }
}
