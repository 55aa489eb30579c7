/* pipeline.h - visits of blocks to tiles that overlap, for a processor with a unit of its own for
 * products (AMX).
 *
 * Three visits are under way at a time. What two of them multiply goes on beside the softmax of the
 * third:
 *
 *                        visit k + 1     visit k     visit k - 1
 *   unit of products       scores                    weighted sum
 *   vectors                              softmax
 *
 * Each row goes through the same operations in the same order as in the plain loop of query_tile.c,
 * so the bits are the same.
 */
#ifndef ATTEND_SRC_TILED_PIPELINE_H
#define ATTEND_SRC_TILED_PIPELINE_H

#include "tiled/block.h"

/* Whether the kernels of this call multiply beside the vector units. */
bool pipeline_pays(const Job *job);

/* What the plain loop does: `count` blocks against the tiles of keys first .. end. `state` has the
 * rows of all blocks and is complete on return. */
void pipeline_attend_tiles(const KvHead *head, const Block *blocks, size_t count, size_t first,
                           size_t end, Online state);

#endif
