/* tile.h - one tile of keys and values of a kv head, wherever they lie.
 *
 * A tile is KEY_TILE keys from a multiple of KEY_TILE on. Its keys and values are packed panels or
 * pairs in one part, or in several (the pages of a cache), or rows of the caller's views.
 */
#ifndef ATTEND_SRC_TILE_H
#define ATTEND_SRC_TILE_H

#include "tiled/tiling.h"

#define TILE_PARTS (KEY_TILE / KERNEL_PANEL)

/* What every piece of the tiled path's work reads. */
typedef struct Job {
  AttendContext *context;
  const Kernels *kernels;
  const Problem *problem;
  Tiling tiling;
  const SequencePlan *cuts; /* [B] */
  void *workspace;
} Job;

/* What a tile is made of. Pairs meet queries and weights in pairs, by `gemm_bf16`, or in the fp32
 * precision floats, by `gemm_mixed`; those of fp16 only there. */
typedef enum Form { FORM_ROWS, FORM_PANELS, FORM_PAIRS } Form;

typedef struct Tile {
  size_t first; /* key */
  size_t keys;  /* before the limit of the sequence */
  Form form;
  size_t key_part, value_part;                                /* keys of a part */
  const float *key[TILE_PARTS];                               /* of each part, or row 0 (key[0]) */
  const float *value[TILE_PARTS];                             /* likewise */
  size_t key_stride, value_stride;                            /* rows; from V panel to V panel */
  KernelPairs key_pairs[TILE_PARTS], value_pairs[TILE_PARTS]; /* in place of all these */
  KernelAhead next_key;                                       /* rows of the tile after it */
  enum { FINITE_UNKNOWN, FINITE_YES, FINITE_NO } finite;      /* its values, once somebody asked */
} Tile;

/* The queries of a block of rows, scaled: a packed block or rows of D floats, or pairs. */
typedef struct Query {
  const float *floats;
  KernelPairs pairs;
} Query;

/* A tile that was packed at key and value, one of the caller's views, and one of a cache. */
Tile tile_at(const Job *job, const Sequence *sequence, size_t tile, float *key, float *value);
Tile tile_in_place(const Job *job, const Sequence *sequence, size_t g, size_t tile);
Tile tile_of_cache(const Job *job, const Sequence *sequence, size_t g, size_t tile);

/* scores[r, j] for keys from .. to of the tile: from is a multiple of P, and `to` of W, unless the
 * tile is one of rows. */
void tile_scores(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to, Query query,
                 float *scores);

/* state := rescale * state + weights V over keys from .. to of the tile, which is not one of
 * pairs. */
void tile_weighted_sum(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                       const float *weights, const float *rescale, Online state);

/* Weights of a tile of pairs: floats as `softmax` leaves them, and their terms, unless the
 * precision is fp32; of the first row, key 0 of the tile. */
typedef struct Weights {
  const float *floats; /* rows are KEY_TILE apart */
  KernelPairs pairs;
} Weights;

/* Columns of a state, from a multiple of P on: whole panels, or all that are left. */
typedef struct Columns {
  size_t from, to;
} Columns;

/* What tile_weighted_sum does, for some columns and a tile of pairs; `from` is a multiple of P. The other
 * half of the last pair, and what follows it up to a whole step, is multiplied by weights of 0. */
void tile_weighted_sum_pairs(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                             Columns columns, Weights weights, const float *rescale, Online state);

/* Copies some columns of the values of keys from .. to, to whole steps from a multiple of P on, of a
 * tile of pairs to `pairs`, zeros in place of those that are not visible[], and returns the tile of
 * the copy. */
Tile tile_copy_visible(const Job *job, const Tile *tile, size_t from, size_t to, Columns columns,
                       const bool *visible, uint32_t *pairs);

/* Whether all values of the tile are finite, so that a weight of 0 hides them. In pairs, those that
 * share a step with them are counted in. */
bool tile_is_finite(const Job *job, Tile *tile);

/* With heads side by side, a head's rows lie a whole token apart, often each on a page of its own,
 * where the processor does not guess the next one. */
static inline void tile_prefetch_row(const float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 0, 2);
}

#endif
