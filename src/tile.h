/* tile.h - one tile of keys and values of a kv head, wherever they lie.
 *
 * A tile is KEY_TILE keys from a multiple of KEY_TILE on. Its keys and values are packed panels in
 * one part, or in several (the pages of a cache), or rows of the caller's views.
 */
#ifndef ATTEND_SRC_TILE_H
#define ATTEND_SRC_TILE_H

#include "tiling.h"

#define TILE_PARTS (KEY_TILE / KERNEL_PANEL)

/* What every piece of the tiled path's work reads. */
typedef struct Job {
  AttendContext *context;
  const Kernels *kernels;
  const Problem *problem;
  Tiling tiling;
  const Cut *cuts; /* [B] */
  void *workspace;
} Job;

typedef struct Tile {
  size_t first; /* key */
  size_t keys;  /* before the limit of the sequence */
  bool packed;
  size_t part_keys;                /* keys of a part */
  const float *key[TILE_PARTS];    /* of each part, or row 0 (key[0]) if not packed */
  const float *value[TILE_PARTS];  /* likewise */
  size_t key_stride, value_stride; /* rows; from V panel to V panel if packed */
  KernelAhead next_key;            /* rows of the tile after it, if not packed */
  enum { FINITE_UNKNOWN, FINITE_YES, FINITE_NO } finite; /* its values, once somebody asked */
} Tile;

/* Packs up to P keys of kv head g, from key `first` on, into the tile that holds them. */
void tile_pack_panel(const Job *job, const Sequence *sequence, size_t g, size_t first, float *key,
                     float *value);

/* Packs the tile into key and value. */
void tile_pack(const Job *job, const Sequence *sequence, size_t g, size_t tile, float *key,
               float *value);

/* A tile that was packed at key and value, one of the caller's views, and one of a cache. */
Tile tile_at(const Sequence *sequence, size_t tile, const float *key, const float *value);
Tile tile_in_place(const Job *job, const Sequence *sequence, size_t g, size_t tile);
Tile tile_of_cache(const Job *job, const Sequence *sequence, size_t g, size_t tile);

/* scores[r, j] for keys from .. to of the tile: from is a multiple of P, and `to` of W, unless the tile
 * is not packed. */
void tile_score(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                const float *query, float *scores);

/* state := rescale * state + weights V over keys from .. to of the tile. */
void tile_weigh(const Job *job, const Tile *tile, size_t rows, size_t from, size_t to,
                const float *weights, const float *rescale, Online state);

/* Whether all values of the tile are finite, so that a weight of 0 hides them. */
bool tile_is_finite(const Job *job, Tile *tile);

/* With heads side by side, a head's rows lie a whole token apart, often each on a page of its own,
 * where the processor does not guess the next one. */
static inline void tile_prefetch_row(const float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 0, 2);
}

#endif
