/* tile_pack.c - packs tiles of the caller's views, and of a cache that stores them otherwise.
 *
 *   views           -> panels, or pairs in the terms of the precision
 *   pages in pairs  -> panels of floats, the sums of their terms      (precision fp32)
 *   pages in floats -> pairs in the terms of the precision            (the others)
 *   pages in fp16   -> floats, and these likewise                      (the others)
 *   pages in bf16   -> the same pairs, the values of all pages side by side, so that the keys of a tile
 *                      are one chain whatever the size of a page
 *
 * A packed panel of keys [D][P] becomes pairs by the kernel that pairs up values: rows of it are to
 * be paired, and its columns stay columns.
 */
#include "tiled/tile_pack.h"

#include <string.h>

#include "cache/kvcache.h"
#include "storage/convert_panel.h"

/* Pairs from term to term of a packed tile. */
static size_t key_term(const Tiling *t) {
  return KEY_TILE * t->key_pairs;
}

static size_t value_term(const Tiling *t) {
  return KEY_TILE / 2 * t->value_columns;
}

/* Where pairs of keys, and of columns from c on, begin for keys from `at` on, a multiple of P. */
static uint32_t *key_pairs_at(const Tiling *t, float *key, size_t at) {
  return words_as_pairs(key) + at * t->key_pairs;
}

static uint32_t *value_pairs_at(float *value, size_t at, size_t c) {
  return words_as_pairs(value) + c * (KEY_TILE / 2) + at / 2 * KERNEL_PANEL;
}

static void pack_keys(const Job *job, const Sequence *s, size_t g, size_t first, size_t keys,
                      float *key) {
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  const size_t D = p->shape.head_dim, at = first % KEY_TILE, stride = p->key.token_stride;
  const float *const rows = problem_key(p, s, first, g);
  if (t->bf16_terms) {
    job->kernels->pack_key_pairs(keys, D, rows, stride, KERNEL_BF16, t->bf16_terms, key_term(t),
                                 key_pairs_at(t, key, at));
  } else {
    job->kernels->pack_keys(keys, D, rows, stride, key + at * D);
  }
}

static void pack_values(const Job *job, const Sequence *s, size_t g, size_t first, size_t keys,
                        float *value) {
  const Problem *const p = job->problem;
  const Tiling *const t = &job->tiling;
  const size_t Dv = p->shape.value_dim, at = first % KEY_TILE, stride = p->value.token_stride;
  for (size_t c = 0; c < Dv; c += KERNEL_PANEL) {
    const size_t columns = size_min(KERNEL_PANEL, Dv - c);
    const float *const rows = problem_value(p, s, first, g) + c;
    if (t->bf16_terms) {
      job->kernels->pack_value_pairs(keys, columns, rows, stride, KERNEL_BF16, t->bf16_terms,
                                     value_term(t), value_pairs_at(value, at, c));
    } else {
      job->kernels->pack_values(keys, columns, rows, stride,
                                value + c * KEY_TILE + at * KERNEL_PANEL);
    }
  }
}

void tile_pack_panel(const Job *job, const Sequence *s, size_t g, size_t first, float *key,
                     float *value) {
  const Problem *const p = job->problem;
  const size_t P = KERNEL_PANEL, D = p->shape.head_dim, Dv = p->shape.value_dim;
  const size_t keys = size_min(P, s->key_limit - first);
  const size_t next = first + keys, more = size_min(P, s->key_limit - next);
  for (size_t j = 0; j < keys; j++) tile_prefetch_row(problem_value(p, s, first + j, g), Dv);
  pack_keys(job, s, g, first, keys, key);
  for (size_t j = 0; j < more; j++) tile_prefetch_row(problem_key(p, s, next + j, g), D);
  pack_values(job, s, g, first, keys, value);
}

void tile_pack(const Job *job, const Sequence *s, size_t g, size_t tile, float *key, float *value) {
  const size_t end = size_min((tile + 1) * KEY_TILE, s->key_limit);
  for (size_t j = tile * KEY_TILE; j < end; j += KERNEL_PANEL) {
    tile_pack_panel(job, s, g, j, key, value);
  }
}

Tile tile_widen(const Job *job, const Sequence *s, size_t g, size_t tile, float *key,
                float *value) {
  const Tile stored = tile_of_cache(job, s, g, tile);
  const size_t D = job->problem->shape.head_dim;
  for (size_t j = 0; j < stored.keys; j += KERNEL_PANEL) {
    const size_t part = j / stored.key_part, at = j % stored.key_part;
    KernelPairs keys = stored.key_pairs[part], values = stored.value_pairs[part];
    keys.pairs += at / KERNEL_PANEL * keys.stride;
    values.pairs += at / 2 * KERNEL_PANEL;
    job->kernels->widen(size_ceil_divide(D, 2), keys, key + j * D);
    for (size_t c = 0; c < job->tiling.value_columns; c += KERNEL_PANEL) {
      job->kernels->widen(KERNEL_PANEL / 2, values, value + c * KEY_TILE + j * KERNEL_PANEL);
      values.pairs += values.stride;
    }
  }
  return tile_at(job, s, tile, key, value);
}

/* A panel of keys from key j of the tile on, a multiple of P. */
static void pack_key_pairs(const Job *job, const Tile *stored, size_t j, float *key) {
  const Tiling *const t = &job->tiling;
  const size_t D = job->problem->shape.head_dim;
  const size_t part = j / stored->key_part, at = j % stored->key_part;
  if (stored->form == FORM_PAIRS) {
    KernelPairs pairs = stored->key_pairs[part];
    pairs.pairs += at / KERNEL_PANEL * pairs.stride;
    convert_panel(job->kernels, D, pairs, t->bf16_terms, key_term(t), key_pairs_at(t, key, j));
  } else {
    job->kernels->pack_value_pairs(D, KERNEL_PANEL, stored->key[part] + at * D, KERNEL_PANEL,
                                   KERNEL_BF16, t->bf16_terms, key_term(t),
                                   key_pairs_at(t, key, j));
  }
}

/* Columns from c on of the values of the same keys. */
static void pack_value_pairs(const Job *job, const Tile *stored, size_t j, size_t c, float *value) {
  const Tiling *const t = &job->tiling;
  const size_t rows = size_min(KERNEL_PANEL, stored->keys - j), panel = c / KERNEL_PANEL;
  const size_t part = j / stored->value_part, at = j % stored->value_part;
  uint32_t *const to = value_pairs_at(value, j, c);
  if (stored->form == FORM_PAIRS) {
    KernelPairs pairs = stored->value_pairs[part];
    pairs.pairs += panel * pairs.stride + at / 2 * KERNEL_PANEL;
    convert_panel(job->kernels, rows, pairs, t->bf16_terms, value_term(t), to);
  } else {
    const float *const floats =
        stored->value[part] + panel * stored->value_stride + at * KERNEL_PANEL;
    job->kernels->pack_value_pairs(rows, KERNEL_PANEL, floats, KERNEL_PANEL, KERNEL_BF16,
                                   t->bf16_terms, value_term(t), to);
  }
}

Tile tile_convert(const Job *job, const Sequence *s, size_t g, size_t tile, float *key,
                  float *value) {
  const Tile stored = tile_of_cache(job, s, g, tile);
  for (size_t j = 0; j < stored.keys; j += KERNEL_PANEL) {
    pack_key_pairs(job, &stored, j, key);
    for (size_t c = 0; c < job->tiling.value_columns; c += KERNEL_PANEL) {
      pack_value_pairs(job, &stored, j, c, value);
    }
  }
  return tile_at(job, s, tile, key, value);
}

Tile tile_gather(const Job *job, const Sequence *s, size_t g, size_t tile, float *value) {
  Tile gathered = tile_of_cache(job, s, g, tile);
  const Tiling *const t = &job->tiling;
  const size_t terms = size_min(t->bf16_terms, gathered.value_pairs[0].terms);
  for (size_t j = 0; j < gathered.keys; j += gathered.value_part) {
    const KernelPairs from = gathered.value_pairs[j / gathered.value_part];
    const size_t bytes = gathered.value_part / 2 * KERNEL_PANEL * sizeof *from.pairs;
    for (size_t p = 0; p < terms; p++) {
      for (size_t c = 0; c < t->value_columns; c += KERNEL_PANEL) {
        memcpy(value_pairs_at(value, j, c) + p * value_term(t),
               from.pairs + p * from.term_stride + c / KERNEL_PANEL * from.stride, bytes);
      }
    }
  }
  gathered.value_part = KEY_TILE;
  gathered.value_pairs[0] = (KernelPairs){words_as_pairs(value), terms, value_term(t),
                                          (size_t)KEY_TILE / 2 * KERNEL_PANEL, KERNEL_BF16};
  return gathered;
}
