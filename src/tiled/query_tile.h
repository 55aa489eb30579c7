/* query_tile.h - a query tile of one kv head: all of its rows against the keys that they see. */
#ifndef ATTEND_SRC_TILED_QUERY_TILE_H
#define ATTEND_SRC_TILED_QUERY_TILE_H

#include "tiled/tile.h"

/* Query tile number `tile` of a kv head, over all splits that its rows see, into the output. */
void query_tile_attend(const KvHead *head, size_t tile);

/* All rows of a kv head over one split, into `state`. Wants a plan with one query tile. */
void query_tile_attend_split(const KvHead *head, size_t split, Online state);

/* Writes the output and the LSE of rows row .. row + rows from their states, sinks included. */
void query_tile_finish(const KvHead *head, size_t row, size_t rows, Online state);

#endif
