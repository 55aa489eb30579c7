/* scores.c - scores of up to BLOCK_ROWS query rows against panels of keys.
 *
 *              keys of a block (BLOCK_COLUMNS wide, inside a panel of KERNEL_PANEL)
 *        d     [ k k k k k k k k | k k k k k k k k ]   VECTORS loads
 *   q rows  ┌
 *    [d][0] │  acc acc                                 one broadcast a row,
 *    [d][1] │  acc acc                                 VECTORS multiply-adds each
 *      ...  └
 *
 * A score is one chain of multiply-adds over d, whatever the number of rows: its bits depend on the
 * row and the key alone.
 */
#include "kernels/member.h"

KERNEL_INLINE void scores_of_rows(const size_t rows, size_t depth, size_t width, const float *query,
                                  const float *keys, float *scores, size_t score_stride) {
  for (size_t j = 0; j < width; j += BLOCK_COLUMNS) {
    const float *const panel = keys + j / KERNEL_PANEL * depth * KERNEL_PANEL + j % KERNEL_PANEL;
    vfloat sum[BLOCK_ROWS][VECTORS];
    UNROLL for (size_t r = 0; r < rows; r++) {
      UNROLL for (size_t v = 0; v < VECTORS; v++) sum[r][v] = v_set1(0.0f);
    }
    for (size_t d = 0; d < depth; d++) {
      vfloat key[VECTORS];
      if (PREFETCHES(rows)) prefetch_panel_row(panel + d * KERNEL_PANEL);
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        key[v] = v_load(panel + d * KERNEL_PANEL + v * LANES);
      }
      UNROLL for (size_t r = 0; r < rows; r++) {
        const vfloat q = v_set1(query[d * BLOCK_ROWS + r]);
        UNROLL for (size_t v = 0; v < VECTORS; v++) sum[r][v] = v_fma(q, key[v], sum[r][v]);
      }
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
      UNROLL for (size_t v = 0; v < VECTORS; v++) {
        v_store(scores + r * score_stride + j + v * LANES, sum[r][v]);
      }
    }
  }
}

void MEMBER(scores)(size_t rows, size_t depth, size_t width, const float *query, const float *keys,
                    float *scores, size_t score_stride) {
#define SCORES_OF(n) scores_of_rows(n, depth, width, query, keys, scores, score_stride)
  FOR_ROWS(rows, SCORES_OF)
#undef SCORES_OF
}
