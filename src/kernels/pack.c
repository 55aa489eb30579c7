/* pack.c - puts operands into the order in which kernels over register blocks read them.
 *
 *   keys:    row-major [keys][depth]  ->  one panel [depth][P], transposed in LANES x LANES
 *            blocks held in registers
 *   values:  row-major [keys][columns] ->  one panel [keys][P]
 *   queries: rows at any address      ->  [depth][BLOCK_ROWS], times the scale
 *
 * Reads exactly the elements that its sizes name. The memory behind the end of a row may hold
 * anything, or be unmapped.
 */
#include "kernels/member.h"

/* LANES keys (fewer at the end, the others zero) from `key`, `depth` <= LANES elements of each. */
KERNEL_INLINE void transpose_block(size_t keys, size_t depth, const float *key, size_t key_stride,
                                   float *panel) {
  vfloat block[LANES];
  UNROLL for (size_t j = 0; j < LANES; j++) {
    block[j] = v_set1(0.0f);
    if (j < keys) {
      const float *const row = key + j * key_stride;
      block[j] = depth == LANES ? v_load(row) : v_load_first(depth, row);
    }
  }
  v_transpose(block);
  UNROLL for (size_t d = 0; d < LANES; d++) {
    if (d < depth) v_store(panel + d * KERNEL_PANEL, block[d]);
  }
}

void MEMBER(pack_keys)(size_t keys, size_t depth, const float *key, size_t key_stride,
                       float *panel) {
  for (size_t j = 0; j < KERNEL_PANEL; j += LANES) {
    const size_t here = keys <= j ? 0 : keys - j < LANES ? keys - j : LANES;
    const float *const first = here ? key + j * key_stride : key;
    size_t d = 0;
    for (; d + LANES <= depth && here == LANES; d += LANES) {
      transpose_block(LANES, LANES, first + d, key_stride, panel + d * KERNEL_PANEL + j);
    }
    for (; d < depth; d += LANES) {
      const size_t left = depth - d < LANES ? depth - d : LANES;
      transpose_block(here, left, first + d, key_stride, panel + d * KERNEL_PANEL + j);
    }
  }
}

void MEMBER(pack_values)(size_t keys, size_t columns, const float *value, size_t value_stride,
                         float *panel) {
  for (size_t j = 0; j < keys; j++) {
    const float *const row = value + j * value_stride;
    for (size_t c = 0; c < KERNEL_PANEL; c += LANES) {
      vfloat x = v_set1(0.0f);
      if (c + LANES <= columns) {
        x = v_load(row + c);
      } else if (c < columns) {
        x = v_load_first(columns - c, row + c);
      }
      v_store(panel + j * KERNEL_PANEL + c, x);
    }
  }
}

_Static_assert(BLOCK_ROWS <= LANES, "pack_queries transposes one block of LANES rows");

KERNEL_INLINE void pack_queries_of(const size_t rows, size_t depth, const float *const *query,
                                   float scale, float *packed) {
  const vfloat factor = v_set1(scale);
  for (size_t d = 0; d < depth; d += LANES) {
    const size_t left = depth - d < LANES ? depth - d : LANES;
    vfloat block[LANES];
    UNROLL for (size_t r = 0; r < LANES; r++) {
      block[r] = v_set1(0.0f);
      if (r < rows)
        block[r] = left == LANES ? v_load(query[r] + d) : v_load_first(left, query[r] + d);
      block[r] = v_mul(factor, block[r]);
    }
    v_transpose(block);
    UNROLL for (size_t i = 0; i < LANES; i++) {
      if (i < left) v_store_first(rows, packed + (d + i) * BLOCK_ROWS, block[i]);
    }
  }
}

void MEMBER(pack_queries)(size_t rows, size_t depth, const float *const *query, float scale,
                          float *packed) {
  if (rows == BLOCK_ROWS) {
    pack_queries_of(BLOCK_ROWS, depth, query, scale, packed);
  } else {
    pack_queries_of(rows, depth, query, scale, packed);
  }
}
