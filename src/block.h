/* block.h - one register block of query rows against one tile of keys. */
#ifndef ATTEND_SRC_BLOCK_H
#define ATTEND_SRC_BLOCK_H

#include "tile.h"

/* Rows of one kv head's group: row = token * group + head in group. */
typedef struct Block {
  const Cut *cut;
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

static inline KeyRange block_range(const Problem *p, const Cut *cut, size_t row) {
  return problem_range(p, &cut->sequence, block_token(p, row));
}

/* Takes the tile into the rows' state. Does nothing where no row sees a key of it. */
void block_attend(const Job *job, const Scratch *scratch, const Block *block, Tile *tile,
                  Online state);

#endif
