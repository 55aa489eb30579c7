/* pipeline.h - the visits of blocks to tiles, one behind the other, for one thread.
 *
 * Where `gemm_bf16` runs on a unit of its own, three visits are under way at a time, and what two of
 * them multiply goes on beside the softmax of the third:
 *
 *                        visit k + 1     visit k     visit k - 1
 *   unit of products       scores                    weighted sum
 *   vectors                              softmax
 *
 * Elsewhere a visit goes through its stages before the next one begins. Each row goes through the
 * same operations in the same order either way, so the bits are the same.
 */
#ifndef ATTEND_SRC_PIPELINE_H
#define ATTEND_SRC_PIPELINE_H

#include "tiled/block.h"

#define PIPELINE_VISITS 3

typedef struct Pipeline {
  const Job *job;
  const Scratch *scratch;
  bool beside;
  size_t begun;                  /* visits since pipeline_begin or pipeline_finish */
  size_t tile;                   /* place of the tile kept last */
  bool tile_is_visited;          /* whether any visit was to that tile */
  Visit visits[PIPELINE_VISITS]; /* number k in place k % PIPELINE_VISITS */
  Tile tiles[PIPELINE_VISITS];
} Pipeline;

void pipeline_begin(Pipeline *pipeline, const Job *job, const Scratch *scratch);

/* Keeps a tile for as long as a visit needs it. What it points to is the caller's to keep until
 * pipeline_finish. */
void pipeline_keep_tile(Pipeline *pipeline, Tile tile);

/* Has a block visit the tile kept last. The visits of a block are pushed in the order of the keys;
 * `state` is complete after pipeline_finish. */
void pipeline_push(Pipeline *pipeline, const Block *block, Online state);

/* Finishes all visits under way. */
void pipeline_finish(Pipeline *pipeline);

#endif
