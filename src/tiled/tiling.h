/* tiling.h - how the tiled path cuts a problem, and where everything lies in the workspace.
 *
 * Owns the sizes of tiles and splits. A tiling is a function of the problem's sizes, the kernels
 * and the number of threads, so that a plan and the run that follows agree. None of its choices
 * changes a bit of the result, but for KEY_TILE and KEY_SPLIT, which are constants.
 *
 * Packed memory is counted in words of 4 bytes: a float, or a pair of bf16 numbers.
 */
#ifndef ATTEND_SRC_TILING_H
#define ATTEND_SRC_TILING_H

#include "context.h"
#include "paths/online.h"
#include "problem/problem.h"
#include "size.h"
#include "storage/words.h"

/* Keys of a tile (bc): a multiple of every ISA's panel. K and V of it take 128 KiB at D = Dv = 128,
 * which stays in L2 while the rows of a query tile pass. Its pairs are one chain of `gemm_bf16`. */
#define KEY_TILE (2 * KERNEL_CHAIN)
/* Keys of a split: a multiple of KEY_TILE. Both are part of the result's bits: they are the same on
 * every machine. */
#define KEY_SPLIT 1024
/* Rows of a query tile (br) at most: a multiple of every ISA's rows. Q and O of it take 96 KiB at
 * D = Dv = 128. */
#define QUERY_TILE 96

/* Where the kernels find K and V; path_tiled.c says when which. */
typedef enum KvSource {
  KV_SOURCE_HEAD,
  KV_SOURCE_SHARED,
  KV_SOURCE_LOCAL,
  KV_SOURCE_DIRECT,
  KV_SOURCE_CACHED,
  KV_SOURCE_GATHERED,
  KV_SOURCE_WIDENED,
  KV_SOURCE_CONVERTED,
} KvSource;

/* How one sequence of the batch is cut. Tiles and splits are numbered from key 0 of the
 * sequence. */
typedef struct SequencePlan {
  Sequence sequence;
  size_t rows;                    /* of one kv head: Nq * group */
  size_t query_tile, query_tiles; /* br, and how many of them per kv head */
  size_t tile_begin, tile_end;    /* tiles of keys that any row sees */
  size_t split_begin, split_end;  /* splits, likewise */
  KvSource source;
  bool by_split;    /* each split is a piece of work; not where a head is or all are packed ahead */
  size_t pieces;    /* of work */
  double pairs;     /* of rows and keys, about */
  size_t packed_at; /* words to its packed K and V, of all kv heads; shared only */
  size_t partial_at; /* number of its first partial state; by_split only */
  size_t first_piece, first_pack, first_merge; /* in the lists of work of the whole batch */
} SequencePlan;

/* Offsets and sizes of one call. Words unless they say bytes. */
typedef struct Tiling {
  size_t R, W;
  size_t bf16_terms;    /* of `gemm_bf16`, and terms of what is packed; 0: fp32 */
  bool in_pairs;        /* K and V may be multiplied in pairs */
  size_t key_pairs;     /* of a query or key, to whole steps */
  size_t value_columns; /* Dv, to whole panels */
  size_t query_tile;    /* of the sequence that has the largest */
  size_t acc_stride;    /* Dv, to whole register tiles */
  size_t key_tile_words, value_tile_words; /* one packed tile of one kv head */
  size_t pieces, packs, merges;            /* work of the three phases */
  double pairs;                            /* of rows and keys, about */
  size_t local_tiles;                      /* that a thread packs for itself at most */
  SequencePlan first;                      /* of sequence 0, for plans */

  size_t cuts_at, packed_at, partials_at; /* byte offsets */
  size_t partial_bytes;                   /* one state */
  size_t threads_at, thread_bytes;
  size_t bytes;
  bool overflow;
} Tiling;

/* What a block keeps between its two products: scores, and what becomes of them. */
typedef struct TileScratch {
  float *scores;     /* [R, KEY_TILE] */
  float *rescale;    /* [R] */
  uint32_t *weights; /* pairs [order][R][KEY_TILE / 2] */
} TileScratch;

/* Of three visits under way (pipeline.h) two are between their products. The third one's scores are
 * written where those of the first were: its weighted sum, over pairs, looks at weights and factors
 * alone. */
#define INTERIMS 2

/* One thread's scratch. */
typedef struct Scratch {
  float *query; /* [br / R] blocks of [D][R]; pairs [order][br][key_pairs]; rows [br][D] */
  TileScratch interims[INTERIMS];
  float *key, *value;  /* packed tiles: one, or all of a kv head's (head) */
  uint32_t *visible;   /* a tile's pairs of values without those that a row does not see */
  Online split, total; /* [br] */
} Scratch;

/* The tiling of a problem; .overflow is set if it cannot be counted in bytes. */
Tiling tiling_of(const AttendContext *context, const Problem *problem);

/* Writes the cuts of all sequences into the workspace, those with the most work first, and returns
 * them. */
SequencePlan *tiling_cuts(const AttendContext *context, const Tiling *tiling,
                          const Problem *problem, void *workspace);

/* Thread number `thread`'s scratch in the workspace. */
Scratch tiling_scratch(const Tiling *tiling, const Problem *problem, void *workspace,
                       size_t thread);

/* The partial state of split `split` of a kv head; by_split only. */
Online tiling_partial(const Tiling *tiling, const Problem *problem, void *workspace,
                      const SequencePlan *cut, size_t kv_head, size_t split);

#endif
