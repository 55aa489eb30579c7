/* tile_pack.h - makes a tile in memory that the caller owns: a thread's scratch or shared panels. */
#ifndef ATTEND_SRC_TILED_TILE_PACK_H
#define ATTEND_SRC_TILED_TILE_PACK_H

#include "tiled/tile.h"

/* Packs up to P keys of the caller's views, from key `first` on, into the tile that holds them. */
void tile_pack_panel(const KvHead *head, size_t first, float *key, float *value);

/* Packs all keys of the tile. */
void tile_pack(const KvHead *head, size_t tile, float *key, float *value);

/* Makes a tile of the cache as the context's precision multiplies it. widen: pairs become floats.
 * convert: other numbers than bf16 become bf16 terms. gather: the values of all pages come into one part;
 * the keys stay in the cache. */
Tile tile_widen(const KvHead *head, size_t tile, float *key, float *value);
Tile tile_convert(const KvHead *head, size_t tile, float *key, float *value);
Tile tile_gather(const KvHead *head, size_t tile, float *value);

#endif
