/* tiling.h - the sizes of one call of the tiled path, and where everything lies in the workspace.
 *
 * Packed memory is counted in words of 4 bytes: a float, or a pair of 16-bit numbers.
 */
#ifndef ATTEND_SRC_TILED_TILING_H
#define ATTEND_SRC_TILED_TILING_H

#include "paths/online.h"
#include "size.h"
#include "storage/words.h"
#include "tiled/sequence_plan.h"

/* Sizes in words unless the name says bytes. */
typedef struct Tiling {
  size_t R, W;          /* rows and columns of a register block */
  size_t bf16_terms;    /* of each operand of a product; 0: the products are those of fp32 */
  bool in_pairs;        /* K and V may be multiplied in pairs */
  size_t key_pairs;     /* of a query or key, to whole steps */
  size_t value_columns; /* Dv, to whole panels */
  size_t query_tile;    /* of the sequence that has the largest */
  size_t acc_stride;    /* Dv, to whole register blocks */
  size_t key_tile_words, value_tile_words; /* one packed tile of one kv head */
  size_t pieces, packs, merges;            /* work of the three phases */
  double pairs;                            /* of rows and keys, about */
  size_t scratch_tiles;                    /* packed tiles for which a thread has room */
  SequencePlan first;                      /* of sequence 0 */

  size_t plans_at, packed_at, partials_at; /* byte offsets */
  size_t partial_bytes;                    /* of one state */
  size_t threads_at, thread_bytes;
  size_t bytes;
  bool overflow;
} Tiling;

/* What a register block of rows keeps between its two products over a tile. */
typedef struct TileScratch {
  float *scores;     /* [R, KEY_TILE], then weights of softmax */
  float *rescale;    /* [R] */
  uint32_t *weights; /* pairs [bf16_terms][R][KEY_TILE / 2] */
} TileScratch;

/* Of three visits under way (pipeline.h) two are between their products. The third one's scores
 * overwrite those of the first, whose weighted sum over pairs reads only weights and factors. */
#define TILE_SCRATCHES 2

/* One thread's scratch. */
typedef struct Scratch {
  float *query; /* [br / R] blocks of [D][R]; pairs [bf16_terms][br][key_pairs]; rows [br][D] */
  TileScratch tiles[TILE_SCRATCHES];
  float *key, *value;  /* packed tiles: one, or all of a kv head */
  uint32_t *visible;   /* a tile's pairs of values, zeros in place of those that a row cannot see */
  Online split, total; /* [br] */
} Scratch;

/* The tiling of a problem. `overflow` is set if it cannot be counted in bytes. */
Tiling tiling_of(const AttendContext *context, const Problem *problem);

/* Writes the plans of all sequences into the workspace, those with the most work first, and returns
 * them. */
const SequencePlan *tiling_place_plans(const AttendContext *context, const Tiling *tiling,
                                       const Problem *problem, void *workspace);

/* The scratch of thread number `thread`. */
Scratch tiling_scratch(const Tiling *tiling, const Problem *problem, void *workspace,
                       size_t thread);

/* The partial state of a split of a kv head, where the plan is by_split. */
Online tiling_partial(const Tiling *tiling, const Problem *problem, void *workspace,
                      const SequencePlan *plan, size_t kv_head, size_t split);

#endif
