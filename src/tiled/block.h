/* block.h - one register block of query rows against one tile of keys, in three stages. */
#ifndef ATTEND_SRC_BLOCK_H
#define ATTEND_SRC_BLOCK_H

#include "tiled/tile.h"

/* Rows of one kv head's group: row = token * group + head in group. */
typedef struct Block {
  const SequencePlan *cut;
  size_t kv_head;
  size_t row, rows;     /* rows <= R */
  KeyRange top, bottom; /* of the first and the last row */
  Query query;          /* scaled by scale * log2(e) */
} Block;

static inline size_t block_token(const Problem *p, size_t row) {
  return row / p->group;
}

static inline size_t block_head(const Problem *p, size_t kv_head, size_t row) {
  return kv_head * p->group + row % p->group;
}

static inline KeyRange block_range(const Problem *p, const SequencePlan *cut, size_t row) {
  return problem_range(p, &cut->sequence, block_token(p, row));
}

/* The part of a tile that each row sees, in keys from the tile's first. */
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
  VisibleSpan seen;
  size_t first, end; /* keys of the tile whose scores are formed, whole panels and register tiles */
  TileScratch interim;
} Visit;

/* Begins a visit, which keeps the pointers. False where no row sees a key of the tile: then there
 * is nothing to do. */
bool visit_begin(const Job *job, const Block *block, Tile *tile, Online state, TileScratch interim,
                 Visit *visit);

/* Scores of the keys from .. to, multiples of P, as far as they are formed. Adjacent panels may
 * come in any order. */
void visit_scores(const Job *job, const Visit *visit, size_t from, size_t to);

/* Softmax of the rows from .. to, at most R, once all their scores are there: the scores become
 * weights, and maximum and sum of the state are those with the tile. */
void visit_softmax(const Job *job, const Visit *visit, size_t from, size_t to);

/* Takes the tile's values into some columns of the state, once all weights are there. A tile that
 * is not one of pairs wants all columns at once. */
void visit_weighted_sum(const Job *job, const Scratch *scratch, const Visit *visit,
                        Columns columns);

#endif
