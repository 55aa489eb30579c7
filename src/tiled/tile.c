/* tile.c - finds and multiplies one tile of keys and values.
 *
 * The kernels give a score and a weighted sum the same bits from panels and from rows, in fp32 also
 * from pairs, and a sum goes over the keys in their order whatever the parts, so that where a tile
 * lies does not show in the result. With several terms a weighted sum over the tile is one chain:
 * its values are then in one part. Leaving out keys of weight 0 at the ends of a chain does not
 * change it.
 */
#include "tiled/tile.h"

#include <string.h>

#include "cache/kvcache.h"

static size_t keys_of(const Sequence *s, size_t tile) {
  return size_min(KEY_TILE, s->key_limit - tile * KEY_TILE);
}

Tile tile_at(const Job *job, const Sequence *s, size_t tile, float *key, float *value) {
  const Tiling *const t = &job->tiling;
  Tile found = {.first = tile * KEY_TILE,
                .keys = keys_of(s, tile),
                .form = t->bf16_terms ? FORM_PAIRS : FORM_PANELS,
                .key_part = KEY_TILE,
                .value_part = KEY_TILE};
  if (t->bf16_terms) {
    found.key_pairs[0] = (KernelPairs){words_as_pairs(key), t->bf16_terms, KEY_TILE * t->key_pairs,
                                       t->key_pairs * KERNEL_PANEL, KERNEL_BF16};
    found.value_pairs[0] =
        (KernelPairs){words_as_pairs(value), t->bf16_terms, KEY_TILE / 2 * t->value_columns,
                      (size_t)KEY_TILE / 2 * KERNEL_PANEL, KERNEL_BF16};
  } else {
    found.key[0] = key;
    found.value[0] = value;
    found.value_stride = (size_t)KEY_TILE * KERNEL_PANEL;
  }
  return found;
}

Tile tile_in_place(const Job *job, const Sequence *s, size_t g, size_t tile) {
  const Problem *const p = job->problem;
  const size_t first = tile * KEY_TILE;
  Tile place = {.first = first,
                .keys = keys_of(s, tile),
                .form = FORM_ROWS,
                .key_part = KEY_TILE,
                .value_part = KEY_TILE,
                .key = {problem_key(p, s, first, g)},
                .value = {problem_value(p, s, first, g)},
                .key_stride = p->key.token_stride,
                .value_stride = p->value.token_stride};
  if (first + 2 * KEY_TILE <= s->key_limit) {
    place.next_key = (KernelAhead){problem_key(p, s, first + KEY_TILE, g), p->key.token_stride,
                                   p->shape.head_dim};
  }
  return place;
}

Tile tile_of_cache(const Job *job, const Sequence *s, size_t g, size_t tile) {
  const AttendCache *const cache = job->problem->cache;
  const size_t parts = KEY_TILE / cache->page_tokens, page = tile * parts;
  const size_t pages = size_ceil_divide(s->key_tokens, cache->page_tokens);
  Tile found = {.first = tile * KEY_TILE,
                .keys = keys_of(s, tile),
                .form = cache->terms ? FORM_PAIRS : FORM_PANELS,
                .key_part = cache->page_tokens,
                .value_part = cache->page_tokens,
                .value_stride = cache->page_tokens * KERNEL_PANEL};
  for (size_t k = 0; k < parts && page + k < pages; k++) {
    if (cache->terms) {
      found.key_pairs[k] = kvcache_key_pairs(cache, s->slot, page + k, g);
      found.value_pairs[k] = kvcache_value_pairs(cache, s->slot, page + k, g);
    } else {
      found.key[k] = kvcache_keys(cache, s->slot, page + k, g);
      found.value[k] = kvcache_values(cache, s->slot, page + k, g);
    }
  }
  return found;
}

/* Scores of keys that lie in pairs in one part, `at` of its keys on. */
static void score_pairs(const Job *job, size_t rows, size_t keys, Query query, KernelPairs key,
                        size_t at, float *scores) {
  const Tiling *const t = &job->tiling;
  const size_t D = job->problem->shape.head_dim;
  key.pairs += at / KERNEL_PANEL * key.stride;
  if (t->bf16_terms) {
    job->kernels->gemm_bf16(rows, t->key_pairs, keys, t->bf16_terms, query.pairs, key, NULL, scores,
                            KEY_TILE);
  } else {
    job->kernels->gemm_mixed(rows, D, keys, query.floats, D, key, NULL, scores, KEY_TILE);
  }
}

void tile_scores(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to, Query query,
                 float *scores) {
  const Kernels *const kernels = job->kernels;
  const size_t D = job->problem->shape.head_dim;
  if (tile->form == FORM_ROWS) {
    const KernelAhead values = {tile->value[0] + from * tile->value_stride, tile->value_stride,
                                job->problem->shape.value_dim};
    kernels->unpacked_scores(rows, D, to - from, query.floats,
                             tile->key[0] + from * tile->key_stride, tile->key_stride,
                             scores + from, KEY_TILE, values);
    return;
  }
  for (size_t j = from; j < to;) {
    const size_t part = j / tile->key_part, at = j % tile->key_part;
    const size_t end = size_min(to, (part + 1) * tile->key_part);
    if (tile->form == FORM_PAIRS) {
      score_pairs(job, rows, end - j, query, tile->key_pairs[part], at, scores + j);
    } else {
      kernels->scores(rows, D, end - j, query.floats, tile->key[part] + at * D, scores + j,
                      KEY_TILE);
    }
    j = end;
  }
}

void tile_weighted_sum(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                       const float *weights, const float *rescale, Online state) {
  const Kernels *const kernels = job->kernels;
  if (tile->form == FORM_ROWS) {
    kernels->unpacked_sum(rows, to - from, job->problem->shape.value_dim, weights + from, KEY_TILE,
                          tile->value[0] + from * tile->value_stride, tile->value_stride, rescale,
                          state.acc, state.stride, tile->next_key);
    return;
  }
  size_t j = from;
  do {
    const size_t part = j / tile->value_part, at = j % tile->value_part;
    const size_t end = size_min(to, (part + 1) * tile->value_part);
    kernels->weighted_sum(rows, end - j, state.stride, weights + j, KEY_TILE,
                          tile->value[part] + at * KERNEL_PANEL, tile->value_stride, rescale,
                          state.acc, state.stride);
    rescale = NULL;
    j = end;
  } while (j < to);
}

#define ONES_8 1, 1, 1, 1, 1, 1, 1, 1

void tile_weighted_sum_pairs(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                             Columns columns, Weights weights, const float *rescale, Online state) {
  static const float ones[KERNEL_MAX_ROWS] = {ONES_8, ONES_8, ONES_8, ONES_8};
  const size_t bf16_terms = job->tiling.bf16_terms, width = columns.to - columns.from;
  float *const sums = state.acc + columns.from;
  for (size_t j = from; j < to;) {
    const size_t part = j / tile->value_part, at = j % tile->value_part;
    const size_t end = size_min(to, (part + 1) * tile->value_part);
    KernelPairs value = tile->value_pairs[part], weight = weights.pairs;
    value.pairs += columns.from / KERNEL_PANEL * value.stride + at / 2 * KERNEL_PANEL;
    if (bf16_terms) {
      weight.pairs += j / 2;
      job->kernels->gemm_bf16(rows, size_round_up(end - j, KERNEL_PANEL) / 2, width, bf16_terms,
                              weight, value, rescale, sums, state.stride);
    } else {
      job->kernels->gemm_mixed(rows, end - j, width, weights.floats + j, KEY_TILE, value, rescale,
                               sums, state.stride);
    }
    rescale = ones; /* null would begin anew */
    j = end;
  }
}

/* A row of pairs of keys 2i and 2i + 1, without the halves of keys that are not visible. */
static void copy_visible_row(const uint32_t *from, const bool *visible, uint32_t *to) {
  const uint32_t kept = (visible[0] ? 0xffffu : 0) | (visible[1] ? 0xffff0000u : 0);
  for (size_t c = 0; c < KERNEL_PANEL; c++) to[c] = from[c] & kept;
}

Tile tile_copy_visible(const Job *job, const Tile *tile, size_t from, size_t to, Columns columns,
                       const bool *visible, uint32_t *pairs) {
  const size_t term = KEY_TILE / 2 * job->tiling.value_columns;
  const size_t stride = (size_t)KEY_TILE / 2 * KERNEL_PANEL;
  const size_t terms = size_min(size_max(job->tiling.bf16_terms, 1), tile->value_pairs[0].terms);
  Tile copy = *tile;
  for (size_t j = from; j < size_round_up(to, KERNEL_PANEL); j += 2) {
    const KernelPairs source = tile->value_pairs[j / tile->value_part];
    const uint32_t *const row = source.pairs + j % tile->value_part / 2 * KERNEL_PANEL;
    for (size_t p = 0; p < terms; p++) {
      for (size_t c = columns.from; c < columns.to; c += KERNEL_PANEL) {
        const size_t panel = c / KERNEL_PANEL;
        copy_visible_row(row + p * source.term_stride + panel * source.stride, visible + j,
                         pairs + p * term + panel * stride + j / 2 * KERNEL_PANEL);
      }
    }
  }
  copy.value_part = KEY_TILE;
  copy.value_pairs[0] = (KernelPairs){pairs, terms, term, stride, tile->value_pairs[0].number};
  return copy;
}

/* An exponent of all ones is that of infinities and NaN. */
static bool is_finite(const float *row, size_t floats) {
  uint32_t odd = 0;
  for (size_t e = 0; e < floats; e++) {
    uint32_t bits;
    memcpy(&bits, row + e, sizeof bits);
    odd |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return !odd;
}

/* Likewise both numbers of each pair; behind a first term that is finite the others are. */
static bool are_finite(const uint32_t *pairs, size_t count, KernelNumber number) {
  const uint32_t first = number == KERNEL_FP16 ? 0x7c00u : 0x7f80u, second = first << 16;
  uint32_t odd = 0;
  for (size_t e = 0; e < count; e++) {
    odd |= (pairs[e] & first) == first || (pairs[e] & second) == second;
  }
  return !odd;
}

static bool pairs_are_finite(const Tile *tile, size_t Dv, size_t j) {
  const KernelPairs value = tile->value_pairs[j / tile->value_part];
  const uint32_t *const row = value.pairs + j % tile->value_part / 2 * KERNEL_PANEL;
  bool finite = true;
  for (size_t c = 0; finite && c < Dv; c += KERNEL_PANEL) {
    finite = are_finite(row + c / KERNEL_PANEL * value.stride, size_min(KERNEL_PANEL, Dv - c),
                        value.number);
  }
  return finite;
}

static bool row_is_finite(const Tile *tile, size_t Dv, size_t j) {
  if (tile->form == FORM_PAIRS) return pairs_are_finite(tile, Dv, j);
  if (tile->form == FORM_ROWS) return is_finite(tile->value[0] + j * tile->value_stride, Dv);
  const size_t part = j / tile->value_part, at = j % tile->value_part;
  const float *const first = tile->value[part] + at * KERNEL_PANEL;
  bool finite = true;
  for (size_t c = 0; finite && c < Dv; c += KERNEL_PANEL) {
    finite =
        is_finite(first + c / KERNEL_PANEL * tile->value_stride, size_min(KERNEL_PANEL, Dv - c));
  }
  return finite;
}

bool tile_is_finite(const Job *job, Tile *tile) {
  if (tile->finite == FINITE_UNKNOWN) {
    const bool pairs = tile->form == FORM_PAIRS;
    const size_t end = pairs ? size_round_up(tile->keys, KERNEL_PANEL) : tile->keys;
    size_t j = 0;
    while (j < end && row_is_finite(tile, job->problem->shape.value_dim, j)) j += pairs ? 2 : 1;
    tile->finite = j >= end ? FINITE_YES : FINITE_NO;
  }
  return tile->finite == FINITE_YES;
}
