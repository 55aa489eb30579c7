/* block.h - one register block of query rows against one tile of keys, in three stages. */
#ifndef ATTEND_SRC_TILED_BLOCK_H
#define ATTEND_SRC_TILED_BLOCK_H

#include "tiled/tile.h"

/* Rows row .. row + rows of a kv head: row = token * group + head in group. */
typedef struct Block {
  const KvHead *head;
  size_t row, rows;     /* rows <= R */
  KeyRange top, bottom; /* keys that the first and the last row see */
  Query query;          /* scaled by scale * log2(e) */
} Block;

/* The part of a tile that each row sees, in keys from the first of the tile. */
typedef struct VisibleSpan {
  size_t first[KERNEL_MAX_ROWS], end[KERNEL_MAX_ROWS];
  size_t from, to; /* keys that any row sees */
  bool all;        /* every row sees from .. to */
} VisibleSpan;

/* A block on its way through a tile, with what it keeps between the stages. */
typedef struct Visit {
  const Block *block;
  Tile *tile;
  Online state; /* of the block's rows */
  VisibleSpan visible;
  size_t first, end; /* keys whose scores are formed: whole panels, then whole register blocks */
  TileScratch scratch;
} Visit;

/* Begins a visit, which keeps the pointers. Returns false where no row sees a key of the tile; the
 * tile is then skipped. */
bool visit_begin(const Block *block, Tile *tile, Online state, TileScratch scratch, Visit *visit);

/* First stage: scores of the keys from .. to, multiples of P, as far as they are formed. Adjacent
 * panels may come in any order. */
void visit_scores(const Visit *visit, size_t from, size_t to);

/* Second stage, once all scores of the rows from .. to are there (at most R rows): the scores become
 * weights, and the maximum and sum of the state include the tile. */
void visit_softmax(const Visit *visit, size_t from, size_t to);

/* Third stage, once all weights are there: adds the tile's values to some columns of the state. A
 * tile that is not pairs takes all columns at once. */
void visit_weighted_sum(const Visit *visit, Columns columns);

#endif
