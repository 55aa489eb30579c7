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

/* A packed tile in one part, of floats or of the precision's bf16 terms. */
Tile tile_packed(const KvHead *head, size_t tile, float *key, float *value) {
  const Tiling *const t = head->job->tiling;
  const KernelNumber number = t->bf16_terms ? KERNEL_BF16 : KERNEL_FP32;
  const size_t D = head->job->problem->shape.head_dim;
  const size_t key_rows = t->bf16_terms ? t->key_pairs : D;
  const size_t value_rows = stored_word_rows(number, KEY_TILE);
  return (Tile){.first = tile * KEY_TILE,
                .keys = keys_of(head, tile),
                .key_part = KEY_TILE,
                .value_part = KEY_TILE,
                .key = {{.number = number,
                         .terms = size_max(t->bf16_terms, 1),
                         .panel_columns = KERNEL_PANEL,
                         .term_stride = key_rows * KEY_TILE,
                         .panel_stride = key_rows * KERNEL_PANEL,
                         .words = words_as_pairs(key)}},
                .value = {{.number = number,
                           .terms = size_max(t->bf16_terms, 1),
                           .panel_columns = KERNEL_PANEL,
                           .term_stride = value_rows * t->value_columns,
                           .panel_stride = value_rows * KERNEL_PANEL,
                           .words = words_as_pairs(value)}}};
}

Tile tile_in_place(const KvHead *head, size_t tile) {
  const Problem *const p = head->job->problem;
  const Sequence *const s = &head->plan->sequence;
  const size_t first = tile * KEY_TILE;
  Tile place = {.first = first,
                .keys = keys_of(head, tile),
                .key_rows = {problem_key(p, s, first, head->g), p->key.token_stride},
                .value_rows = {problem_value(p, s, first, head->g), p->value.token_stride}};
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
                .key_part = cache->page_tokens,
                .value_part = cache->page_tokens};
  for (size_t k = 0; k < parts && page + k < pages; k++) {
    found.key[k] = kvcache_keys(cache, s->slot, page + k, head->g);
    found.value[k] = kvcache_values(cache, s->slot, page + k, head->g);
  }
  return found;
}

/* Scores of keys of one part, from its key `at` on. */
static void score_part(const Job *job, size_t rows, size_t keys, Query query,
                       const StoredMatrix *key, size_t at, float *scores) {
  const Kernels *const kernels = job->kernels;
  const size_t D = job->problem->shape.head_dim, terms = job->tiling->bf16_terms;
  if (key->number == KERNEL_FP32) {
    kernels->scores(rows, D, keys, query.floats, stored_floats(key, 0, at), scores, KEY_TILE);
  } else if (terms) {
    kernels->gemm_bf16(rows, job->tiling->key_pairs, keys, terms, query.pairs,
                       stored_pairs(key, 0, at), NULL, scores, KEY_TILE);
  } else {
    kernels->gemm_mixed(rows, D, keys, query.floats, D, stored_pairs(key, 0, at), NULL, scores,
                        KEY_TILE);
  }
}

void tile_scores(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to, Query query,
                 float *scores) {
  if (tile->key_rows.first) {
    const TileRows *const key = &tile->key_rows, *const value = &tile->value_rows;
    const KernelAhead values = {value->first + from * value->stride, value->stride,
                                job->problem->shape.value_dim};
    job->kernels->unpacked_scores(rows, job->problem->shape.head_dim, to - from, query.floats,
                                  key->first + from * key->stride, key->stride, scores + from,
                                  KEY_TILE, values);
    return;
  }
  for (size_t j = from; j < to;) {
    const size_t part = j / tile->key_part, end = size_min(to, (part + 1) * tile->key_part);
    score_part(job, rows, end - j, query, &tile->key[part], j % tile->key_part, scores + j);
    j = end;
  }
}

void tile_weighted_sum(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                       const float *weights, const float *rescale, Online state) {
  const Kernels *const kernels = job->kernels;
  if (tile->value_rows.first) {
    const TileRows *const value = &tile->value_rows;
    kernels->unpacked_sum(rows, to - from, job->problem->shape.value_dim, weights + from, KEY_TILE,
                          value->first + from * value->stride, value->stride, rescale, state.acc,
                          state.stride, tile->next_key);
    return;
  }
  size_t j = from;
  do {
    const size_t part = j / tile->value_part, at = j % tile->value_part;
    const size_t end = size_min(to, (part + 1) * tile->value_part);
    kernels->weighted_sum(rows, end - j, state.stride, weights + j, KEY_TILE,
                          stored_floats(&tile->value[part], at, 0), tile->value[part].panel_stride,
                          rescale, state.acc, state.stride);
    rescale = NULL;
    j = end;
  } while (j < to);
}

#define ONES_8 1, 1, 1, 1, 1, 1, 1, 1

void tile_weighted_sum_pairs(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                             Columns columns, Weights weights, const float *rescale, Online state) {
  static const float ones[KERNEL_MAX_ROWS] = {ONES_8, ONES_8, ONES_8, ONES_8};
  const size_t bf16_terms = job->tiling->bf16_terms, width = columns.to - columns.from;
  float *const sums = state.acc + columns.from;
  for (size_t j = from; j < to;) {
    const size_t part = j / tile->value_part, at = j % tile->value_part;
    const size_t end = size_min(to, (part + 1) * tile->value_part);
    const KernelPairs value = stored_pairs(&tile->value[part], at, columns.from);
    KernelPairs weight = weights.pairs;
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
