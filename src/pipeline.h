/* pipeline.h - the visits of blocks to tiles, one behind the other, for one thread.
 *
 * Where `multiply` runs on a unit of its own, three visits are under way at a time, and what two of
 * them multiply goes on beside the softmax of the third:
 *
 *                        visit k + 1     visit k     visit k - 1
 *   unit of products       scores                    weighted sum
 *   vectors                              softmax
 *
 * Elsewhere a visit goes through its stages before the next one begins. The order of stages is not
 * that of any row's operations, so that the bits are the same.
 */
#ifndef ATTEND_SRC_PIPELINE_H
#define ATTEND_SRC_PIPELINE_H

#include "block.h"

#define PIPELINE_VISITS 3

typedef struct Pipeline {
  const Job *job;
  const Scratch *scratch;
  bool beside;
  size_t begun;                  /* visits since the last one was finished by pipeline_finish */
  size_t tile;                   /* the latest one's number */
  bool tile_is_visited;          /* by a visit */
  Visit visits[PIPELINE_VISITS]; /* number k in place k % PIPELINE_VISITS, likewise the tiles */
  Tile tiles[PIPELINE_VISITS];
} Pipeline;

void pipeline_begin(Pipeline *pipeline, const Job *job, const Scratch *scratch);

/* Keeps a tile for as long as a visit needs it. What it points to is the caller's to keep until
 * pipeline_finish. */
Tile *pipeline_keep_tile(Pipeline *pipeline, Tile tile);

/* Has a block visit the tile kept last. The visits of a block are pushed in the order of the keys;
 * `state` is complete after pipeline_finish. */
void pipeline_push(Pipeline *pipeline, const Block *block, Tile *tile, Online state);

/* Finishes all visits under way. */
void pipeline_finish(Pipeline *pipeline);

#endif
