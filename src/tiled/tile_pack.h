/* tile_pack.h - fills a tile in a thread's scratch, or one that all threads share. */
#ifndef ATTEND_SRC_TILE_PACK_H
#define ATTEND_SRC_TILE_PACK_H

#include "tiled/tile.h"

/* Packs up to P keys of kv head g, from key `first` on, into the tile that holds them. */
void tile_pack_panel(const Job *job, const Sequence *sequence, size_t g, size_t first, float *key,
                     float *value);

/* Packs the tile into key and value. */
void tile_pack(const Job *job, const Sequence *sequence, size_t g, size_t tile, float *key,
               float *value);

/* A tile of the cache as the context's precision multiplies it: pages of pairs as floats, pages of
 * floats or fp16 as pairs of bf16, and those with the values of all pages in one part. */
Tile tile_widen(const Job *job, const Sequence *sequence, size_t g, size_t tile, float *key,
                float *value);
Tile tile_convert(const Job *job, const Sequence *sequence, size_t g, size_t tile, float *key,
                  float *value);
Tile tile_gather(const Job *job, const Sequence *sequence, size_t g, size_t tile, float *value);

#endif
