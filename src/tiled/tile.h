/* tile.h - one tile of keys and values of a kv head, wherever they lie, and its two products.
 *
 * A tile is KEY_TILE keys that begin at a multiple of KEY_TILE. Its keys and values are packed
 * panels or pairs, in one part or in several (the pages of a cache), or rows of the caller's views.
 */
#ifndef ATTEND_SRC_TILED_TILE_H
#define ATTEND_SRC_TILED_TILE_H

#include "storage/stored_matrix.h"
#include "tiled/kv_head.h"

#define TILE_PARTS (KEY_TILE / KERNEL_PANEL)

/* Rows of the caller's views, from the first key of a tile on. */
typedef struct TileRows {
  const float *first; /* null: the tile is not rows */
  size_t stride;
} TileRows;

typedef struct Tile {
  size_t first;                  /* key */
  size_t keys;                   /* of the tile that are below the limit of the sequence */
  TileRows key_rows, value_rows; /* set where it is rows; else the parts below are */
  size_t key_part, value_part;   /* keys of a part */
  StoredMatrix key[TILE_PARTS], value[TILE_PARTS];       /* [D, keys] and [keys, Dv] */
  KernelAhead next_key;                                  /* rows of the tile after it */
  enum { FINITE_UNKNOWN, FINITE_YES, FINITE_NO } finite; /* its values, once asked */
} Tile;

/* Whether the tile is pairs. `gemm_bf16` multiplies them by the bf16 terms of queries and weights;
 * in precision fp32 `gemm_mixed` multiplies them by floats. Pairs of other numbers than bf16 are
 * multiplied by floats alone. */
static inline bool tile_in_pairs(const Tile *tile) {
  return !tile->key_rows.first && tile->value[0].number != KERNEL_FP32;
}

/* The queries of a register block, scaled: a packed block or rows of D floats, or pairs. */
typedef struct Query {
  const float *floats;
  KernelPairs pairs;
} Query;

/* A tile packed at key and value, one of the caller's views, and one as a cache stores it. */
Tile tile_packed(const KvHead *head, size_t tile, float *key, float *value);
Tile tile_in_place(const KvHead *head, size_t tile);
Tile tile_of_cache(const KvHead *head, size_t tile);

/* scores[r, j] = query r . key j for keys from .. to of the tile. `from` is a multiple of P, and
 * `to` one of W unless the tile is rows. Rows of scores are KEY_TILE apart. */
void tile_scores(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to, Query query,
                 float *scores);

/* state := rescale * state + weights V over keys from .. to of a tile that is not pairs. Rows of
 * weights are KEY_TILE apart; rescale null means 1. */
void tile_weighted_sum(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                       const float *weights, const float *rescale, Online state);

/* Weights over a tile of pairs, from key 0 of the tile: floats as softmax leaves them and, unless
 * the precision is fp32, their bf16 terms. */
typedef struct Weights {
  const float *floats; /* rows are KEY_TILE apart */
  KernelPairs pairs;
} Weights;

/* Columns of a state. `from` is a multiple of P; so is `to` unless it is the last column. */
typedef struct Columns {
  size_t from, to;
} Columns;

/* The same for a tile of pairs and some columns of the state. `from` is a multiple of P. The second
 * half of the last pair, and the pairs after it up to a whole step, are multiplied by weights of 0.
 */
void tile_weighted_sum_pairs(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                             Columns columns, Weights weights, const float *rescale, Online state);

/* With heads side by side, the rows of one head lie a whole token apart, often each on a page of
 * its own, and the processor does not guess the next one. */
static inline void tile_prefetch_row(const float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 0, 2);
}

#endif
