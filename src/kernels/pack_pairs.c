/* pack_pairs.c - floats into terms of bf16 pairs or into pairs of fp16, and back.
 *
 *   keys:    row-major [keys][depth]    ->  one panel [pairs][P] a term, transposed in LANES x LANES
 *            blocks held in registers; two neighbouring rows of the block make a row of pairs
 *   values:  row-major [keys][columns]  ->  one panel [pairs][P] a term: two rows make one
 *   rows:    rows at any address        ->  [rows][pairs] a term, times the scale
 *
 * In registers a number of 16 bits is the upper half of a lane: in bf16 the lane is then the float
 * itself, in fp16 it is no float. Each copy of the loops has the kind of number as a constant.
 *
 * Reads exactly the elements named by its sizes, as pack.c does.
 */
#include "kernels/member.h"

/* Subtracts the next term from x; fp16 has one term only. */
KERNEL_INLINE vfloat take_term(const KernelNumber number, vfloat *x) {
  if (number == KERNEL_FP16) return v_fp16(*x);
  const vfloat term = v_bf16(*x);
  *x = v_if_finite(term, v_sub(*x, term));
  return term;
}

/* The terms of a vector of first and one of second elements, to `pairs` and term_stride on. */
KERNEL_INLINE void store_terms(const KernelNumber number, vfloat first, vfloat second, size_t terms,
                               size_t term_stride, uint32_t *pairs) {
  for (size_t p = 0; p < terms; p++) {
    const vfloat low = take_term(number, &first), high = take_term(number, &second);
    v_store_pair(pairs + p * term_stride, v_join(low, high));
  }
}

/* Floats in whole steps. */
KERNEL_INLINE size_t whole_steps(size_t floats) {
  const size_t step = 2 * KERNEL_STEP;
  return (floats + step - 1) / step * step;
}

/* LANES keys of a panel, of which `keys` exist, and LANES elements from d on, `left` of which
 * exist. */
KERNEL_INLINE void pair_block(const KernelNumber number, size_t keys, size_t left, const float *key,
                              size_t key_stride, size_t terms, size_t term_stride,
                              uint32_t *panel) {
  vfloat block[LANES];
  UNROLL for (size_t j = 0; j < LANES; j++) {
    block[j] = v_set1(0.0f);
    if (j < keys && left > 0) {
      const float *const row = key + j * key_stride;
      block[j] = left >= LANES ? v_load(row) : v_load_first(left, row);
    }
  }
  v_transpose(block);
  UNROLL for (size_t d = 0; d < LANES; d += 2) {
    store_terms(number, block[d], block[d + 1], terms, term_stride, panel + d / 2 * KERNEL_PANEL);
  }
}

KERNEL_INLINE void pair_keys(const KernelNumber number, size_t keys, size_t depth, const float *key,
                             size_t key_stride, size_t terms, size_t term_stride, uint32_t *panel) {
  for (size_t j = 0; j < KERNEL_PANEL; j += LANES) {
    const size_t here = keys <= j ? 0 : keys - j < LANES ? keys - j : LANES;
    const float *const first = here ? key + j * key_stride : key;
    for (size_t d = 0; d < whole_steps(depth); d += LANES) {
      const size_t left = d < depth ? depth - d : 0;
      pair_block(number, here, left, left ? first + d : first, key_stride, terms, term_stride,
                 panel + d / 2 * KERNEL_PANEL + j);
    }
  }
}

void MEMBER(pack_key_pairs)(size_t keys, size_t depth, const float *key, size_t key_stride,
                            KernelNumber number, size_t terms, size_t term_stride,
                            uint32_t *panel) {
  if (number == KERNEL_FP16) {
    pair_keys(KERNEL_FP16, keys, depth, key, key_stride, terms, term_stride, panel);
  } else {
    pair_keys(KERNEL_BF16, keys, depth, key, key_stride, terms, term_stride, panel);
  }
}

/* LANES elements of a row from `at` on; those from `count` on are zero. */
KERNEL_INLINE vfloat load_some(const float *row, size_t at, size_t count) {
  if (at + LANES <= count) return v_load(row + at);
  return at < count ? v_load_first(count - at, row + at) : v_set1(0.0f);
}

/* The processor's own prefetchers do not find rows that are not side by side. */
#define ROWS_AHEAD 16

KERNEL_INLINE void prefetch_value(const float *row) {
  __builtin_prefetch(row, 0, 3);
  __builtin_prefetch(row + KERNEL_PANEL / 2, 0, 3);
}

KERNEL_INLINE void pair_values(const KernelNumber number, size_t keys, size_t columns,
                               const float *value, size_t value_stride, size_t terms,
                               size_t term_stride, uint32_t *panel) {
  for (size_t j = 0; j < whole_steps(keys); j += 2) {
    prefetch_value(value + (j + ROWS_AHEAD) * value_stride);
    prefetch_value(value + (j + 1 + ROWS_AHEAD) * value_stride);
    for (size_t c = 0; c < KERNEL_PANEL; c += LANES) {
      const vfloat zero = v_set1(0.0f);
      const vfloat first = j < keys ? load_some(value + j * value_stride, c, columns) : zero;
      const vfloat second =
          j + 1 < keys ? load_some(value + (j + 1) * value_stride, c, columns) : zero;
      store_terms(number, first, second, terms, term_stride, panel + j / 2 * KERNEL_PANEL + c);
    }
  }
}

void MEMBER(pack_value_pairs)(size_t keys, size_t columns, const float *value, size_t value_stride,
                              KernelNumber number, size_t terms, size_t term_stride,
                              uint32_t *panel) {
  if (number == KERNEL_FP16) {
    pair_values(KERNEL_FP16, keys, columns, value, value_stride, terms, term_stride, panel);
  } else {
    pair_values(KERNEL_BF16, keys, columns, value, value_stride, terms, term_stride, panel);
  }
}

/* A row's pairs are its numbers one after the other: the upper halves of its terms. */
KERNEL_INLINE void pair_rows(const KernelNumber number, size_t rows, size_t depth,
                             const float *const *row, float scale, size_t terms, size_t term_stride,
                             size_t row_stride, uint32_t *pairs) {
  const vfloat factor = v_set1(scale);
  for (size_t r = 0; r < rows; r++) {
    for (size_t d = 0; d < whole_steps(depth); d += LANES) {
      vfloat x = v_mul(factor, load_some(row[r], d, depth));
      /* Padding stays zero even if scale is Inf or NaN. */
      if (d + LANES > depth) x = v_first(d < depth ? depth - d : 0, x, v_set1(0.0f));
      for (size_t p = 0; p < terms; p++) {
        v_store_halves(pairs + p * term_stride + r * row_stride + d / 2, take_term(number, &x));
      }
    }
  }
}

void MEMBER(pack_row_pairs)(size_t rows, size_t depth, const float *const *row, float scale,
                            KernelNumber number, size_t terms, size_t term_stride,
                            size_t row_stride, uint32_t *pairs) {
  if (number == KERNEL_FP16) {
    pair_rows(KERNEL_FP16, rows, depth, row, scale, terms, term_stride, row_stride, pairs);
  } else {
    pair_rows(KERNEL_BF16, rows, depth, row, scale, terms, term_stride, row_stride, pairs);
  }
}

KERNEL_INLINE void widen_panel(const KernelNumber number, size_t pairs, KernelPairs from,
                               float *panel) {
  for (size_t i = 0; i < pairs; i++) {
    for (size_t c = 0; c < KERNEL_PANEL; c += LANES) {
      const uint32_t *const at = from.pairs + i * KERNEL_PANEL + c;
      vfloat low = v_set1(0.0f), high = low;
      for (size_t p = from.terms; p-- > 0;) {
        const vpair term = v_load_pair(at + p * from.term_stride);
        const vfloat first = widened_low(number, term), second = widened_high(number, term);
        low = p + 1 == from.terms ? first : v_add(low, first);
        high = p + 1 == from.terms ? second : v_add(high, second);
      }
      v_store(panel + 2 * i * KERNEL_PANEL + c, low);
      v_store(panel + (2 * i + 1) * KERNEL_PANEL + c, high);
    }
  }
}

void MEMBER(widen)(size_t pairs, KernelPairs from, float *panel) {
  if (from.number == KERNEL_FP16) {
    widen_panel(KERNEL_FP16, pairs, from, panel);
  } else {
    widen_panel(KERNEL_BF16, pairs, from, panel);
  }
}
