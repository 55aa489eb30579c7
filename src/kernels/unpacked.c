/* unpacked.c - scores and weighted sums straight from row-major keys and values.
 *
 * Packing does not pay for few query rows, because every key and value is used once. Keys are
 * transposed in registers, LANES x LANES at a time, so that a score is the same chain of
 * multiply-adds over d as in scores.c, and a weighted sum is the same chain over keys as in
 * weighted_sum.c: prefill and decode give the same bits.
 *
 * The bandwidth of the memory limits these kernels, and one stream of reads does not fill it. While
 * a kernel works through its own rows it prefetches the rows that come next, `ahead`, one for one.
 */
#include "kernels/member.h"

#define LINE (64 / sizeof(float))

KERNEL_INLINE void prefetch_rows(KernelAhead ahead, size_t first, size_t count) {
  for (size_t j = first; ahead.rows && j < first + count; j++) {
    const float *const row = ahead.rows + j * ahead.stride;
    for (size_t e = 0; e < ahead.floats; e += LINE) __builtin_prefetch(row + e, 0, 2);
  }
}

/* `rows` scores of LANES keys, of which `keys` exist; the others get a score of 0. */
KERNEL_INLINE void score_lanes(const size_t rows, size_t depth, size_t keys, const float *query,
                               const float *key, size_t key_stride, float *scores,
                               size_t score_stride, KernelAhead ahead) {
  vfloat sum[BLOCK_ROWS];
  UNROLL for (size_t r = 0; r < rows; r++) sum[r] = v_set1(0.0f);
  for (size_t d = 0; d < depth && keys > 0; d += LANES) {
    const size_t left = depth - d;
    const bool whole = keys == LANES && left >= LANES;
    vfloat block[LANES];
    UNROLL for (size_t j = 0; j < LANES; j++) {
      const float *const row = key + j * key_stride + d;
      block[j] = whole ? v_load(row) : j < keys ? v_load_first(left, row) : v_set1(0.0f);
    }
    for (size_t j = 0; j < keys && d < ahead.floats && d % LINE == 0; j++) {
      __builtin_prefetch(ahead.rows + j * ahead.stride + d, 0, 2);
    }
    v_transpose(block);
    UNROLL for (size_t i = 0; i < LANES; i++) {
      UNROLL for (size_t r = 0; r < rows; r++) {
        if (i < left) sum[r] = v_fma(v_set1(query[(d + i) * BLOCK_ROWS + r]), block[i], sum[r]);
      }
    }
  }
  UNROLL for (size_t r = 0; r < rows; r++) v_store(scores + r * score_stride, sum[r]);
}

KERNEL_INLINE void unpacked_scores_of(const size_t rows, size_t depth, size_t keys,
                                      const float *query, const float *key, size_t key_stride,
                                      float *scores, size_t score_stride, KernelAhead ahead) {
  for (size_t j = 0; j % BLOCK_COLUMNS != 0 || j < keys; j += LANES) {
    const size_t left = keys > j ? keys - j : 0;
    const size_t here = left < LANES ? left : LANES;
    score_lanes(rows, depth, here, query, key + (here ? j * key_stride : 0), key_stride, scores + j,
                score_stride, ahead);
    if (ahead.rows) ahead.rows += LANES * ahead.stride;
  }
}

void MEMBER(unpacked_scores)(size_t rows, size_t depth, size_t keys, const float *query,
                             const float *key, size_t key_stride, float *scores,
                             size_t score_stride, KernelAhead ahead){
#define UNPACKED_SCORES(n)                                                                         \
  unpacked_scores_of(n, depth, keys, query, key, key_stride, scores, score_stride, ahead)
    FOR_ROWS(rows, UNPACKED_SCORES)
#undef UNPACKED_SCORES
}

/* `rows` sums over `vectors` vectors of columns, of which the first `columns` columns exist. */
KERNEL_INLINE void sum_strip(const size_t rows, const size_t vectors, size_t keys, size_t columns,
                             const float *weights, size_t weight_stride, const float *value,
                             size_t value_stride, const float *rescale, float *sum,
                             size_t sum_stride, KernelAhead ahead) {
  vfloat total[BLOCK_ROWS][MAX_STRIP];
  UNROLL for (size_t r = 0; r < rows; r++) {
    const vfloat factor = v_set1(rescale ? rescale[r] : 1.0f);
    UNROLL for (size_t v = 0; v < vectors; v++) {
      total[r][v] = v_mul(factor, v_load(sum + r * sum_stride + v * LANES));
    }
  }
  for (size_t j = 0; j < keys; j++) {
    const float *const row = value + j * value_stride;
    vfloat x[MAX_STRIP];
    prefetch_rows(ahead, j, 1);
    UNROLL for (size_t v = 0; v < vectors; v++) {
      const bool whole = columns >= (v + 1) * LANES;
      x[v] = whole ? v_load(row + v * LANES) : v_load_first(columns - v * LANES, row + v * LANES);
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
      const vfloat w = v_set1(weights[r * weight_stride + j]);
      UNROLL for (size_t v = 0; v < vectors; v++) total[r][v] = v_fma(w, x[v], total[r][v]);
    }
  }
  UNROLL for (size_t r = 0; r < rows; r++) {
    UNROLL for (size_t v = 0; v < vectors; v++) {
      v_store(sum + r * sum_stride + v * LANES, total[r][v]);
    }
  }
}

/* All columns over `keys` keys, in strips as wide as the registers allow beside so many rows. */
KERNEL_INLINE void sum_strips(const size_t rows, size_t keys, size_t columns, const float *weights,
                              size_t weight_stride, const float *value, size_t value_stride,
                              const float *rescale, float *sum, size_t sum_stride,
                              KernelAhead ahead) {
  const size_t room = BLOCK_ROWS * VECTORS / rows;
  size_t c = 0;
#define STRIPS(vectors)                                                                            \
  for (const size_t width = LANES * (vectors); room >= (vectors) && c + width <= columns;          \
       c += width) {                                                                               \
    sum_strip(rows, vectors, keys, width, weights, weight_stride, value + c, value_stride,         \
              rescale, sum + c, sum_stride, ahead);                                                \
    ahead.rows = NULL;                                                                             \
  }
#if MAX_STRIP >= 8
  STRIPS(8)
#endif
  STRIPS(4)
  STRIPS(2)
  STRIPS(1)
#undef STRIPS
  if (c < columns) {
    sum_strip(rows, 1, keys, columns - c, weights, weight_stride, value + c, value_stride, rescale,
              sum + c, sum_stride, ahead);
  }
}

/* A few rows of V at a time if a row takes several strips: they come from memory once and whole,
 * and the later strips find them in L1. */
KERNEL_INLINE void unpacked_sum_of(const size_t rows, size_t keys, size_t columns,
                                   const float *weights, size_t weight_stride, const float *value,
                                   size_t value_stride, const float *rescale, float *sum,
                                   size_t sum_stride, KernelAhead ahead) {
  const size_t widest =
      BLOCK_ROWS * VECTORS / rows < MAX_STRIP ? BLOCK_ROWS * VECTORS / rows : MAX_STRIP;
  const size_t chunk = columns <= widest * LANES ? keys : LINE;
  size_t j = 0;
  do {
    const size_t here = keys - j < chunk ? keys - j : chunk;
    sum_strips(rows, here, columns, weights + j, weight_stride, value + j * value_stride,
               value_stride, j == 0 ? rescale : NULL, sum, sum_stride, ahead);
    if (ahead.rows) ahead.rows += here * ahead.stride;
    j += chunk;
  } while (j < keys);
}

void MEMBER(unpacked_sum)(size_t rows, size_t keys, size_t columns, const float *weights,
                          size_t weight_stride, const float *value, size_t value_stride,
                          const float *rescale, float *sum, size_t sum_stride, KernelAhead ahead) {
#define UNPACKED_SUM(n)                                                                            \
  unpacked_sum_of(n, keys, columns, weights, weight_stride, value, value_stride, rescale, sum,     \
                  sum_stride, ahead)
  FOR_ROWS(rows, UNPACKED_SUM)
#undef UNPACKED_SUM
}
