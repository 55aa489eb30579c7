/* gemm_bf16.c - products of bf16 pairs, summed in fp32: scores, weighted sums and projections.
 *
 *              columns of a block (BLOCK_COLUMNS wide, inside a panel of KERNEL_PANEL)
 *    pair i    [ bb bb bb bb | bb bb bb bb ]   VECTORS loads, a lane is a pair
 *   a row 0 aa    acc acc                      one broadcast a row,
 *   a row 1 aa    acc acc                      VECTORS dot products each
 *      ...
 *
 * With one term the sums stay in registers from the first pair to the last. With two or three each
 * KERNEL_CHAIN pairs are summed on their own, with a sum for each level p + q of terms, so that
 * small products round little. Then the levels are added up, the smallest first, and the total is
 * added to c, which stays in L1. So a sum of three or six products rounds no more often at its full
 * size than a sum in fp32.
 *
 * The levels share the registers: a block has BLOCK_ROWS / bf16_terms rows. A pair of each term is
 * loaded once for all its products, so terms come from memory side by side, each as a stream. A
 * single row has as many chains of dot products under way as there are levels.
 */
#include "kernels/block_sums.h"

/* With several terms as in member.h, but for two rows or more: the second block of rows finds a
 * chain in L1, and the processor's prefetchers see no miss meanwhile. */
#define GEMM_PREFETCHES(rows, bf16_terms)                                                          \
  ((bf16_terms) == 1                                                                               \
       ? PREFETCHES(rows)                                                                          \
       : (rows) * (bf16_terms) < BLOCK_ROWS && ((rows) >= 2 || BLOCK_COLUMNS < KERNEL_PANEL))

/* Adds the products of all pairs to the sums of their levels, those of a pair in the order of the
 * terms of a. Not unrolled: the processor's prefetchers follow each load as one stream, and one
 * row in steps of sixteen pairs read 24 GB/s where this reads 30. */
KERNEL_INLINE void add_levels(const size_t rows, const size_t bf16_terms, const size_t terms,
                              size_t pairs, KernelPairs a, KernelPairs b,
                              vfloat sum[][BLOCK_ROWS][VECTORS]) {
  ROLLED for (size_t i = 0; i < pairs; i++) {
    vpair column[KERNEL_MAX_TERMS][VECTORS];
    UNROLL for (size_t q = 0; q < terms; q++) {
      const uint32_t *const at = b.pairs + q * b.term_stride + i * KERNEL_PANEL;
      for (size_t line = 0; GEMM_PREFETCHES(rows, bf16_terms) && line < BLOCK_COLUMNS; line += 16) {
        __builtin_prefetch(at + PREFETCH_AHEAD + line, 0, 2);
      }
      UNROLL for (size_t v = 0; v < VECTORS; v++) column[q][v] = v_load_pair(at + v * LANES);
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
      UNROLL for (size_t p = 0; p < bf16_terms; p++) {
        const vpair row = v_set1_pair(a.pairs[p * a.term_stride + r * a.stride + i]);
        const size_t factors = bf16_terms - p < terms ? bf16_terms - p : terms;
        UNROLL for (size_t q = 0; q < factors; q++) {
          UNROLL for (size_t v = 0; v < VECTORS; v++) {
            sum[p + q][r][v] = v_dot(row, column[q][v], sum[p + q][r][v]);
          }
        }
      }
    }
  }
}

/* One register block of c, whose columns b.pairs points to. */
KERNEL_INLINE void gemm_one_term(const size_t rows, size_t pairs, KernelPairs a, KernelPairs b,
                                 const float *rescale, float *c, size_t c_stride) {
  vfloat sum[1][BLOCK_ROWS][VECTORS];
  load_sums(rows, rescale, c, c_stride, sum[0]);
  add_levels(rows, 1, 1, pairs, a, b, sum);
  store_sums(rows, c, c_stride, sum[0]);
}

/* The same with several terms, for no more pairs than a chain has. */
KERNEL_INLINE void gemm_terms(const size_t rows, const size_t bf16_terms, const size_t terms,
                              size_t pairs, KernelPairs a, KernelPairs b, bool add,
                              const float *rescale, float *c, size_t c_stride) {
  vfloat sum[KERNEL_MAX_TERMS][BLOCK_ROWS][VECTORS];
  UNROLL for (size_t level = 0; level < bf16_terms; level++) {
    load_sums(rows, NULL, c, c_stride, sum[level]);
  }
  add_levels(rows, bf16_terms, terms, pairs, a, b, sum);
  UNROLL for (size_t level = bf16_terms - 1; level > 0; level--) {
    UNROLL for (size_t r = 0; r < rows; r++) {
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        sum[level - 1][r][v] = v_add(sum[level - 1][r][v], sum[level][r][v]);
      }
    }
  }
  if (add) add_sums(rows, rescale, c, c_stride, sum[0]);
  store_sums(rows, c, c_stride, sum[0]);
}

/* `width` columns of one panel, for as many rows as have room for the sums of all levels. */
KERNEL_INLINE void gemm_block(const size_t rows, const size_t bf16_terms, const size_t terms,
                              size_t pairs, size_t width, KernelPairs a, KernelPairs b, bool add,
                              const float *rescale, float *c, size_t c_stride) {
  if (rows * bf16_terms > BLOCK_ROWS) return;
  for (size_t j = 0; j < width; j += BLOCK_COLUMNS) {
    KernelPairs columns = b;
    columns.pairs += j;
    if (bf16_terms == 1) {
      gemm_one_term(rows, pairs, a, columns, rescale, c + j, c_stride);
    } else {
      gemm_terms(rows, bf16_terms, terms, pairs, a, columns, add, rescale, c + j, c_stride);
    }
  }
}

/* All rows, in blocks as even as can be. add: to c, times rescale if there is one. */
KERNEL_INLINE void gemm_blocks(const size_t bf16_terms, const size_t terms, size_t rows,
                               size_t pairs, size_t width, KernelPairs a, KernelPairs b, bool add,
                               const float *rescale, float *c, size_t c_stride) {
  const size_t most = BLOCK_ROWS / bf16_terms, blocks = (rows + most - 1) / most;
  for (size_t k = 0, r = 0; k < blocks; k++) {
    const size_t here = (rows - r + blocks - k - 1) / (blocks - k);
    const float *const factors = rescale ? rescale + r : NULL;
    KernelPairs from = a;
    from.pairs += r * a.stride;
#define GEMM_BLOCK(n)                                                                              \
  gemm_block(n, bf16_terms, terms, pairs, width, from, b, add, factors, c + r * c_stride, c_stride)
    FOR_ROWS(here, GEMM_BLOCK)
#undef GEMM_BLOCK
    r += here;
  }
}

/* One panel, chain by chain, so that the second block finds in cache what the first one read. */
KERNEL_INLINE void gemm_panel(const size_t bf16_terms, const size_t terms, size_t rows,
                              size_t pairs, size_t width, KernelPairs a, KernelPairs b,
                              const float *rescale, float *c, size_t c_stride) {
  const size_t chain = bf16_terms == 1 ? pairs : KERNEL_CHAIN;
  for (size_t from = 0; from < pairs; from += chain) {
    const size_t here = pairs - from < chain ? pairs - from : chain;
    gemm_blocks(bf16_terms, terms, rows, here, width, a, b, from > 0 || rescale,
                from > 0 ? NULL : rescale, c, c_stride);
    a.pairs += here;
    b.pairs += here * KERNEL_PANEL;
  }
}

void MEMBER(gemm_bf16)(size_t rows, size_t pairs, size_t width, size_t bf16_terms, KernelPairs a,
                       KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  for (size_t j = 0; j < width; j += KERNEL_PANEL) {
    const size_t columns = width - j < KERNEL_PANEL ? width - j : KERNEL_PANEL;
#define GEMM_PANEL(bf16_terms, terms)                                                              \
  gemm_panel(bf16_terms, terms, rows, pairs, columns, a, b, rescale, c + j, c_stride)
    if (bf16_terms == 1) {
      GEMM_PANEL(1, 1);
    } else if (bf16_terms == 2 && b.terms == 1) {
      GEMM_PANEL(2, 1);
    } else if (bf16_terms == 2) {
      GEMM_PANEL(2, 2);
    } else if (b.terms == 1) {
      GEMM_PANEL(3, 1);
    } else if (b.terms == 2) {
      GEMM_PANEL(3, 2);
    } else {
      GEMM_PANEL(3, 3);
    }
#undef GEMM_PANEL
    b.pairs += b.stride;
  }
}

void MEMBER(release)(void) {
}
