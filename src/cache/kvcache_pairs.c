/* kvcache_pairs.c - tokens into pages of bf16 or fp16 pairs and out of them.
 *
 * A token writes its own column of pairs among the keys and its own halves of pairs among the
 * values, and nothing else: the other half, and the places behind it, may be those of a token that
 * is still kept. Where none can be, the first token of a step makes the rest of it zeros, so that a
 * step of which a token is kept never holds what nobody wrote. Only a whole step of tokens,
 * KERNEL_PANEL of them, is left to the kernels that turn and pair up many rows at once.
 *
 * A number is stored as the sum of its terms; what is read back is that sum.
 */
#include <string.h>

#include "cache/kvcache.h"
#include "size.h"
#include "storage/half_float.h"

/* Elements of a key that are split at a time. */
#define KEY_PIECE 128

static uint32_t *panel_of_keys(const AttendCache *c, CachePlace place) {
  return words_as_pairs(place.keys) + place.at / KERNEL_PANEL * c->key_pairs * KERNEL_PANEL;
}

/* The row of pairs that holds the token's columns from `column` on, a multiple of KERNEL_PANEL. */
static uint32_t *pairs_of_values(const AttendCache *c, CachePlace place, size_t column) {
  return words_as_pairs(place.values) + column * (c->page_tokens / 2) + place.at / 2 * KERNEL_PANEL;
}

static size_t term_of_keys(const AttendCache *c) {
  return c->page_tokens * c->key_pairs;
}

static size_t term_of_values(const AttendCache *c) {
  return c->page_tokens / 2 * c->value_columns;
}

static uint16_t half_of(uint32_t pair, size_t half) {
  return (uint16_t)(half ? pair >> 16 : pair & 0xffffu);
}

static void put_half(uint32_t *pair, size_t half, uint16_t number) {
  *pair = half ? (*pair & 0xffffu) | (uint32_t)number << 16 : (*pair & 0xffff0000u) | number;
}

static void store_key(const AttendCache *c, const Kernels *kernels, CachePlace place,
                      const float *key) {
  uint32_t *const column = panel_of_keys(c, place) + place.at % KERNEL_PANEL;
  for (size_t d = 0; d < c->head_dim; d += KEY_PIECE) {
    _Alignas(KERNEL_ALIGNMENT) uint32_t split[KERNEL_MAX_TERMS][KEY_PIECE / 2];
    const float *const piece = key + d;
    const size_t depth = size_min(KEY_PIECE, c->head_dim - d);
    const size_t pairs = size_min(KEY_PIECE / 2, c->key_pairs - d / 2);
    kernels->pack_row_pairs(1, depth, &piece, 1.0f, c->number, c->terms, KEY_PIECE / 2,
                            KEY_PIECE / 2, split[0]);
    for (size_t p = 0; p < c->terms; p++) {
      uint32_t *const to = column + p * term_of_keys(c) + d / 2 * KERNEL_PANEL;
      for (size_t i = 0; i < pairs; i++) to[i * KERNEL_PANEL] = split[p][i];
    }
  }
}

/* Columns that the last panel does not have become zeros. */
static void store_value(const AttendCache *c, const Kernels *kernels, CachePlace place,
                        const float *value) {
  for (size_t column = 0; column < c->value_dim; column += KERNEL_PANEL) {
    _Alignas(KERNEL_ALIGNMENT) uint32_t split[KERNEL_MAX_TERMS][KERNEL_PANEL / 2];
    const float *const piece = value + column;
    const size_t columns = size_min(KERNEL_PANEL, c->value_dim - column);
    kernels->pack_row_pairs(1, columns, &piece, 1.0f, c->number, c->terms, KERNEL_PANEL / 2,
                            KERNEL_PANEL / 2, split[0]);
    for (size_t p = 0; p < c->terms; p++) {
      uint32_t *const to = pairs_of_values(c, place, column) + p * term_of_values(c);
      for (size_t k = 0; k < KERNEL_PANEL; k++) {
        put_half(to + k, place.at % 2, half_of(split[p][k / 2], k % 2));
      }
    }
  }
}

/* Makes all values of the token's step zeros. */
static void clear_values(const AttendCache *c, CachePlace place) {
  for (size_t k = 0; k < c->terms * c->value_columns; k += KERNEL_PANEL) {
    const size_t p = k / c->value_columns, column = k % c->value_columns;
    uint32_t *const pairs = pairs_of_values(c, place, column) + p * term_of_values(c);
    memset(pairs, 0, KERNEL_STEP * KERNEL_PANEL * sizeof *pairs);
  }
}

/* A panel of keys and a step of values, from a multiple of KERNEL_PANEL on. */
static void store_step(const AttendCache *c, const Kernels *kernels, CachePlace place,
                       CacheRows rows) {
  kernels->pack_key_pairs(KERNEL_PANEL, c->head_dim, rows.key, rows.key_stride, c->number, c->terms,
                          term_of_keys(c), panel_of_keys(c, place));
  for (size_t column = 0; column < c->value_dim; column += KERNEL_PANEL) {
    kernels->pack_value_pairs(KERNEL_PANEL, size_min(KERNEL_PANEL, c->value_dim - column),
                              rows.value + column, rows.value_stride, c->number, c->terms,
                              term_of_values(c), pairs_of_values(c, place, column));
  }
}

void kvcache_store_pairs(const AttendCache *c, const Kernels *kernels, CachePlace place,
                         size_t tokens, bool unused, CacheRows rows) {
  for (size_t stored = 0; stored < tokens;) {
    const bool whole = place.at % KERNEL_PANEL == 0 && tokens - stored >= KERNEL_PANEL;
    const size_t here = whole ? KERNEL_PANEL : 1;
    if (whole) {
      store_step(c, kernels, place, rows);
    } else {
      if (unused && place.at % KERNEL_PANEL == 0) clear_values(c, place);
      store_key(c, kernels, place, rows.key);
      store_value(c, kernels, place, rows.value);
    }
    rows.key += here * rows.key_stride;
    rows.value += here * rows.value_stride;
    place.at += here;
    stored += here;
  }
}

/* The sum of the terms of a number, the last one first, as `widen` forms it. */
static float widened(const AttendCache *c, const uint32_t *pair, size_t half, size_t term_stride) {
  float sum = 0.0f;
  for (size_t p = c->terms; p-- > 0;) {
    const uint16_t bits = half_of(pair[p * term_stride], half);
    const float number = c->number == KERNEL_FP16 ? widen_f16(bits) : widen_bf16(bits);
    sum = p + 1 == c->terms ? number : sum + number;
  }
  return sum;
}

void kvcache_widen_key(const AttendCache *c, CachePlace place, float *to) {
  const uint32_t *const column = panel_of_keys(c, place) + place.at % KERNEL_PANEL;
  for (size_t d = 0; d < c->head_dim; d++) {
    to[d] = widened(c, column + d / 2 * KERNEL_PANEL, d % 2, term_of_keys(c));
  }
}

void kvcache_widen_value(const AttendCache *c, CachePlace place, float *to) {
  for (size_t k = 0; k < c->value_dim; k++) {
    const size_t panel = k / KERNEL_PANEL * KERNEL_PANEL;
    to[k] =
        widened(c, pairs_of_values(c, place, panel) + (k - panel), place.at % 2, term_of_values(c));
  }
}
