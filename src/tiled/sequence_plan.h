/* sequence_plan.h - how the tiled path cuts one sequence of the batch into pieces of work.
 *
 * Owns the sizes of tiles and splits. A plan follows from the problem's sizes, the kernels and the
 * number of threads alone, so that a call finds what its plan announced. None of these choices
 * changes a bit of the result except KEY_TILE and KEY_SPLIT, which are constants.
 */
#ifndef ATTEND_SRC_TILED_SEQUENCE_PLAN_H
#define ATTEND_SRC_TILED_SEQUENCE_PLAN_H

#include "context.h"
#include "problem/problem.h"

/* Keys of a tile (bc), a multiple of every ISA's panel. Its K and V take 128 KiB at D = Dv = 128
 * and stay in L2 while the rows of a query tile pass. Its pairs are one chain of `gemm_bf16`. */
#define KEY_TILE (2 * KERNEL_CHAIN)
/* Keys of a split, a multiple of KEY_TILE. KEY_TILE and KEY_SPLIT are part of the result's bits, so
 * they are the same on every machine. */
#define KEY_SPLIT 1024
/* Rows of a query tile (br) at most, a multiple of every ISA's register block. Its Q and O take
 * 96 KiB at D = Dv = 128. */
#define QUERY_TILE 96

typedef struct KvSource KvSource; /* kv_source.h */

/* Tiles and splits are numbered from key 0 of the sequence. */
typedef struct SequencePlan {
  Sequence sequence;
  size_t rows;                    /* of one kv head: Nq * group */
  size_t query_tile, query_tiles; /* br, and how many of them per kv head */
  size_t tile_begin, tile_end;    /* tiles of keys that any row sees */
  size_t split_begin, split_end;  /* splits of keys, likewise */
  const KvSource *source;         /* where the kernels find K and V */
  bool by_split;                  /* each split is a piece of work of its own */
  size_t pieces;                  /* of work */
  double pairs;                   /* of rows and keys, about; orders the work */
  size_t packed_at;               /* words to its K and V that all threads share, of all kv heads */
  size_t partial_at;              /* number of its first partial state, where by_split */
  size_t first_piece, first_pack, first_merge; /* in the lists of work of the whole batch */
} SequencePlan;

/* The plan of sequence b. `heads` is B * Hk. The last three lines of the struct are left 0. */
SequencePlan sequence_plan_of(const AttendContext *context, const Problem *problem, size_t b,
                              size_t heads, bool *overflow);

/* Sorts plans so that those with the most pairs come first. Allocates nothing. */
void sequence_plans_sort(SequencePlan *plans, size_t count);

/* Rows of a register block in the context's precision. */
size_t sequence_plan_block_rows(const AttendContext *context);

/* Tiles of keys that some row of the sequence sees. */
static inline size_t sequence_plan_tiles(const SequencePlan *plan) {
  return plan->tile_end - plan->tile_begin;
}

#endif
