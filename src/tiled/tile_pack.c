/* tile_pack.c - packs tiles of the caller's views, and of a cache that stores them in another form.
 *
 *   views            -> panels of floats, or bf16 terms of the precision
 *   pages of pairs   -> panels of floats, the sums of their terms         (precision fp32)
 *   pages of floats  -> bf16 terms of the precision                       (bf16 precisions)
 *   pages of others  -> floats, and then bf16 terms                       (bf16 precisions)
 *   pages of bf16    -> the same pairs with the values of all pages side by side, so that the keys
 *                       of a tile are one chain whatever the size of a page
 *
 * The kernel that packs pairs of values also packs a panel of keys [D][P]: it pairs up rows and
 * keeps columns.
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

/* Where the pairs begin for keys from `at` on, a multiple of P: of the keys themselves, and of their
 * values from column c on. */
static uint32_t *key_pairs_at(const Tiling *t, float *key, size_t at) {
  return words_as_pairs(key) + at * t->key_pairs;
}

static uint32_t *value_pairs_at(float *value, size_t at, size_t c) {
  return words_as_pairs(value) + c * (KEY_TILE / 2) + at / 2 * KERNEL_PANEL;
}

static void pack_keys(const KvHead *head, size_t first, size_t keys, float *key) {
  const Job *const job = head->job;
  const Problem *const p = job->problem;
  const Tiling *const t = job->tiling;
  const size_t D = p->shape.head_dim, at = first % KEY_TILE, stride = p->key.token_stride;
  const float *const rows = problem_key(p, &head->plan->sequence, first, head->g);
  if (t->bf16_terms) {
    job->kernels->pack_key_pairs(keys, D, rows, stride, KERNEL_BF16, t->bf16_terms, key_term(t),
                                 key_pairs_at(t, key, at));
  } else {
    job->kernels->pack_keys(keys, D, rows, stride, key + at * D);
  }
}

static void pack_values(const KvHead *head, size_t first, size_t keys, float *value) {
  const Job *const job = head->job;
  const Problem *const p = job->problem;
  const Tiling *const t = job->tiling;
  const size_t Dv = p->shape.value_dim, at = first % KEY_TILE, stride = p->value.token_stride;
  for (size_t c = 0; c < Dv; c += KERNEL_PANEL) {
    const size_t columns = size_min(KERNEL_PANEL, Dv - c);
    const float *const rows = problem_value(p, &head->plan->sequence, first, head->g) + c;
    if (t->bf16_terms) {
      job->kernels->pack_value_pairs(keys, columns, rows, stride, KERNEL_BF16, t->bf16_terms,
                                     value_term(t), value_pairs_at(value, at, c));
    } else {
      job->kernels->pack_values(keys, columns, rows, stride,
                                value + c * KEY_TILE + at * KERNEL_PANEL);
    }
  }
}

void tile_pack_panel(const KvHead *head, size_t first, float *key, float *value) {
  const Problem *const p = head->job->problem;
  const Sequence *const s = &head->plan->sequence;
  const size_t g = head->g;
  const size_t P = KERNEL_PANEL, D = p->shape.head_dim, Dv = p->shape.value_dim;
  const size_t keys = size_min(P, s->key_limit - first);
  const size_t next = first + keys, more = size_min(P, s->key_limit - next);
  for (size_t j = 0; j < keys; j++) tile_prefetch_row(problem_value(p, s, first + j, g), Dv);
  pack_keys(head, first, keys, key);
  for (size_t j = 0; j < more; j++) tile_prefetch_row(problem_key(p, s, next + j, g), D);
  pack_values(head, first, keys, value);
}

void tile_pack(const KvHead *head, size_t tile, float *key, float *value) {
  const size_t end = size_min((tile + 1) * KEY_TILE, head->plan->sequence.key_limit);
  for (size_t j = tile * KEY_TILE; j < end; j += KERNEL_PANEL) {
    tile_pack_panel(head, j, key, value);
  }
}

Tile tile_widen(const KvHead *head, size_t tile, float *key, float *value) {
  const Job *const job = head->job;
  const Tile stored = tile_of_cache(head, tile);
  const size_t D = job->problem->shape.head_dim;
  for (size_t j = 0; j < stored.keys; j += KERNEL_PANEL) {
    const size_t part = j / stored.key_part, at = j % stored.key_part;
    const KernelPairs keys = stored_pairs(&stored.key[part], 0, at);
    job->kernels->widen(size_ceil_divide(D, 2), keys, key + j * D);
    for (size_t c = 0; c < job->tiling->value_columns; c += KERNEL_PANEL) {
      const KernelPairs values = stored_pairs(&stored.value[part], at, c);
      job->kernels->widen(KERNEL_PANEL / 2, values, value + c * KEY_TILE + j * KERNEL_PANEL);
    }
  }
  return tile_packed(head, tile, key, value);
}

/* A panel of keys from key j of the tile on, a multiple of P. */
static void convert_keys(const Job *job, const Tile *stored, size_t j, float *key) {
  const Tiling *const t = job->tiling;
  const size_t D = job->problem->shape.head_dim;
  const StoredMatrix *const keys = &stored->key[j / stored->key_part];
  const size_t at = j % stored->key_part;
  if (keys->number == KERNEL_FP32) {
    job->kernels->pack_value_pairs(D, KERNEL_PANEL, stored_floats(keys, 0, at), KERNEL_PANEL,
                                   KERNEL_BF16, t->bf16_terms, key_term(t),
                                   key_pairs_at(t, key, j));
  } else {
    convert_panel(job->kernels, D, stored_pairs(keys, 0, at), t->bf16_terms, key_term(t),
                  key_pairs_at(t, key, j));
  }
}

/* Columns from c on of the values of the same keys. */
static void convert_values(const Job *job, const Tile *stored, size_t j, size_t c, float *value) {
  const Tiling *const t = job->tiling;
  const StoredMatrix *const values = &stored->value[j / stored->value_part];
  const size_t rows = size_min(KERNEL_PANEL, stored->keys - j), at = j % stored->value_part;
  uint32_t *const to = value_pairs_at(value, j, c);
  if (values->number == KERNEL_FP32) {
    job->kernels->pack_value_pairs(rows, KERNEL_PANEL, stored_floats(values, at, c), KERNEL_PANEL,
                                   KERNEL_BF16, t->bf16_terms, value_term(t), to);
  } else {
    convert_panel(job->kernels, rows, stored_pairs(values, at, c), t->bf16_terms, value_term(t),
                  to);
  }
}

Tile tile_convert(const KvHead *head, size_t tile, float *key, float *value) {
  const Job *const job = head->job;
  const Tile stored = tile_of_cache(head, tile);
  for (size_t j = 0; j < stored.keys; j += KERNEL_PANEL) {
    convert_keys(job, &stored, j, key);
    for (size_t c = 0; c < job->tiling->value_columns; c += KERNEL_PANEL) {
      convert_values(job, &stored, j, c, value);
    }
  }
  return tile_packed(head, tile, key, value);
}

Tile tile_gather(const KvHead *head, size_t tile, float *value) {
  const Tiling *const t = head->job->tiling;
  Tile gathered = tile_of_cache(head, tile);
  StoredMatrix values = gathered.value[0];
  values.terms = size_min(t->bf16_terms, values.terms);
  values.term_stride = value_term(t);
  values.panel_stride = (size_t)KEY_TILE / 2 * KERNEL_PANEL;
  values.words = words_as_pairs(value);
  const size_t bytes = gathered.value_part / 2 * KERNEL_PANEL * sizeof *values.words;
  for (size_t j = 0; j < gathered.keys; j += gathered.value_part) {
    const StoredMatrix *const page = &gathered.value[j / gathered.value_part];
    for (size_t term = 0; term < values.terms; term++) {
      for (size_t c = 0; c < t->value_columns; c += KERNEL_PANEL) {
        memcpy(stored_at(&values, j, c) + term * values.term_stride,
               stored_at(page, 0, c) + term * page->term_stride, bytes);
      }
    }
  }
  gathered.value_part = KEY_TILE;
  gathered.value[0] = values;
  return gathered;
}
