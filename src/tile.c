/* tile.c - finds, packs and multiplies one tile of keys and values.
 *
 * The kernels give a score and a weighted sum the same bits from panels and from rows, and a sum
 * goes over the keys in their order whatever the parts, so that where a tile lies does not show in
 * the result.
 */
#include "tile.h"

#include <string.h>

#include "kvcache.h"

void tile_pack_panel(const Job *job, const Sequence *s, size_t g, size_t first, float *key,
                     float *value) {
  const Problem *const p = job->problem;
  const size_t P = KERNEL_PANEL, D = p->shape.head_dim, Dv = p->shape.value_dim;
  const size_t keys = size_min(P, s->key_limit - first), at = first % KEY_TILE;
  const size_t next = first + keys, more = size_min(P, s->key_limit - next);
  for (size_t j = 0; j < keys; j++) tile_prefetch_row(problem_value(p, s, first + j, g), Dv);
  job->kernels->pack_keys(keys, D, problem_key(p, s, first, g), p->key.token_stride, key + at * D);
  for (size_t j = 0; j < more; j++) tile_prefetch_row(problem_key(p, s, next + j, g), D);
  for (size_t c = 0; c < Dv; c += P) {
    job->kernels->pack_values(keys, size_min(P, Dv - c), problem_value(p, s, first, g) + c,
                              p->value.token_stride, value + c * KEY_TILE + at * P);
  }
}

void tile_pack(const Job *job, const Sequence *s, size_t g, size_t tile, float *key, float *value) {
  const size_t end = size_min((tile + 1) * KEY_TILE, s->key_limit);
  for (size_t j = tile * KEY_TILE; j < end; j += KERNEL_PANEL) {
    tile_pack_panel(job, s, g, j, key, value);
  }
}

static size_t keys_of(const Sequence *s, size_t tile) {
  return size_min(KEY_TILE, s->key_limit - tile * KEY_TILE);
}

Tile tile_at(const Sequence *s, size_t tile, const float *key, const float *value) {
  return (Tile){.first = tile * KEY_TILE,
                .keys = keys_of(s, tile),
                .packed = true,
                .part_keys = KEY_TILE,
                .key = {key},
                .value = {value},
                .value_stride = (size_t)KEY_TILE * KERNEL_PANEL};
}

Tile tile_in_place(const Job *job, const Sequence *s, size_t g, size_t tile) {
  const Problem *const p = job->problem;
  const size_t first = tile * KEY_TILE;
  Tile place = {.first = first,
                .keys = keys_of(s, tile),
                .part_keys = KEY_TILE,
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
                .packed = true,
                .part_keys = cache->page_tokens,
                .value_stride = cache->page_tokens * KERNEL_PANEL};
  for (size_t k = 0; k < parts && page + k < pages; k++) {
    found.key[k] = kvcache_keys(cache, s->slot, page + k, g);
    found.value[k] = kvcache_values(cache, s->slot, page + k, g);
  }
  return found;
}

void tile_score(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                const float *query, float *scores) {
  const Kernels *const kernels = job->kernels;
  const size_t D = job->problem->shape.head_dim;
  if (!tile->packed) {
    const KernelAhead values = {tile->value[0] + from * tile->value_stride, tile->value_stride,
                                job->problem->shape.value_dim};
    kernels->direct_scores(rows, D, to - from, query, tile->key[0] + from * tile->key_stride,
                           tile->key_stride, scores + from, KEY_TILE, values);
    return;
  }
  for (size_t j = from; j < to;) {
    const size_t part = j / tile->part_keys, at = j % tile->part_keys;
    const size_t end = size_min(to, (part + 1) * tile->part_keys);
    kernels->scores(rows, D, end - j, query,
                    tile->key[part] + at / KERNEL_PANEL * KERNEL_PANEL * D + at % KERNEL_PANEL,
                    scores + j, KEY_TILE);
    j = end;
  }
}

void tile_weigh(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                const float *weights, const float *rescale, Online state) {
  const Kernels *const kernels = job->kernels;
  if (!tile->packed) {
    kernels->direct_weigh(rows, to - from, job->problem->shape.value_dim, weights + from, KEY_TILE,
                          tile->value[0] + from * tile->value_stride, tile->value_stride, rescale,
                          state.acc, state.stride, tile->next_key);
    return;
  }
  size_t j = from;
  do {
    const size_t part = j / tile->part_keys, at = j % tile->part_keys;
    const size_t end = size_min(to, (part + 1) * tile->part_keys);
    kernels->weigh(rows, end - j, state.stride, weights + j, KEY_TILE,
                   tile->value[part] + at * KERNEL_PANEL, tile->value_stride, rescale, state.acc,
                   state.stride);
    rescale = NULL;
    j = end;
  } while (j < to);
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

static bool row_is_finite(const Tile *tile, size_t Dv, size_t j) {
  if (!tile->packed) return is_finite(tile->value[0] + j * tile->value_stride, Dv);
  const size_t part = j / tile->part_keys, at = j % tile->part_keys;
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
    size_t j = 0;
    while (j < tile->keys && row_is_finite(tile, job->problem->shape.value_dim, j)) j++;
    tile->finite = j == tile->keys ? FINITE_YES : FINITE_NO;
  }
  return tile->finite == FINITE_YES;
}
