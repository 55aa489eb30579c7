/* tile.c - finds and multiplies one tile of keys and values.
 *
 * The result does not show where a tile lies. The kernels give a score and a weighted sum the same
 * bits from panels and from rows, in fp32 also from pairs, and a sum goes over the keys in their
 * order whatever the parts. With several terms the weighted sum over a tile is one chain, so its
 * values are then in one part. A chain does not change when keys of weight 0 at its ends are left
 * out.
 */
#include "tiled/tile.h"

#include "cache/kvcache.h"

static size_t keys_of(const KvHead *head, size_t tile) {
  return size_min(KEY_TILE, head->plan->sequence.key_limit - tile * KEY_TILE);
}

Tile tile_packed(const KvHead *head, size_t tile, float *key, float *value) {
  const Tiling *const t = &head->job->tiling;
  Tile found = {.first = tile * KEY_TILE,
                .keys = keys_of(head, tile),
                .form = t->bf16_terms ? TILE_PAIRS : TILE_PANELS,
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

Tile tile_in_place(const KvHead *head, size_t tile) {
  const Problem *const p = head->job->problem;
  const Sequence *const s = &head->plan->sequence;
  const size_t first = tile * KEY_TILE;
  Tile place = {.first = first,
                .keys = keys_of(head, tile),
                .form = TILE_ROWS,
                .key_part = KEY_TILE,
                .value_part = KEY_TILE,
                .key = {problem_key(p, s, first, head->g)},
                .value = {problem_value(p, s, first, head->g)},
                .key_stride = p->key.token_stride,
                .value_stride = p->value.token_stride};
  if (first + 2 * KEY_TILE <= s->key_limit) {
    place.next_key = (KernelAhead){problem_key(p, s, first + KEY_TILE, head->g),
                                   p->key.token_stride, p->shape.head_dim};
  }
  return place;
}

Tile tile_of_cache(const KvHead *head, size_t tile) {
  const AttendCache *const cache = head->job->problem->cache;
  const Sequence *const s = &head->plan->sequence;
  const size_t parts = KEY_TILE / cache->page_tokens, page = tile * parts;
  const size_t pages = size_ceil_divide(s->key_tokens, cache->page_tokens);
  Tile found = {.first = tile * KEY_TILE,
                .keys = keys_of(head, tile),
                .form = cache->terms ? TILE_PAIRS : TILE_PANELS,
                .key_part = cache->page_tokens,
                .value_part = cache->page_tokens,
                .value_stride = cache->page_tokens * KERNEL_PANEL};
  for (size_t k = 0; k < parts && page + k < pages; k++) {
    if (cache->terms) {
      found.key_pairs[k] = kvcache_key_pairs(cache, s->slot, page + k, head->g);
      found.value_pairs[k] = kvcache_value_pairs(cache, s->slot, page + k, head->g);
    } else {
      found.key[k] = kvcache_keys(cache, s->slot, page + k, head->g);
      found.value[k] = kvcache_values(cache, s->slot, page + k, head->g);
    }
  }
  return found;
}

/* Scores of keys in pairs, from key `at` of one part on. */
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
  if (tile->form == TILE_ROWS) {
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
    if (tile->form == TILE_PAIRS) {
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
  if (tile->form == TILE_ROWS) {
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
    rescale = ones; /* from the second part on the sums accumulate */
    j = end;
  }
}
