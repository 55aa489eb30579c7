/* tiling.h - how the tiled path cuts one problem, and where everything lies in the workspace.
 *
 * Owns the sizes of tiles and splits. A tiling is a function of the problem's sizes, the kernels
 * and the number of threads, so that a plan and the run that follows agree.
 */
#ifndef ATTEND_SRC_TILING_H
#define ATTEND_SRC_TILING_H

#include "context.h"
#include "online.h"
#include "problem.h"
#include "size.h"

/* Keys of a tile (bc): a multiple of every ISA's panel. K and V of it take 128 KiB at D = Dv = 128,
 * which stays in L2 while the rows of a query tile pass. */
#define KEY_TILE 128
/* Keys of a split: a multiple of KEY_TILE. Both are part of the result's bits: they are the same on
 * every machine. */
#define KEY_SPLIT 1024
/* Rows of a query tile (br) at most: a multiple of every ISA's rows. Q and O of it take 96 KiB at
 * D = Dv = 128. */
#define QUERY_TILE 96

/* Where the kernels find K and V; path_tiled.c says when which. */
typedef enum Source { SOURCE_HEAD, SOURCE_SHARED, SOURCE_LOCAL, SOURCE_DIRECT } Source;

/* Offsets and sizes of one call. Floats unless they say bytes. */
typedef struct Tiling {
  size_t R, W;
  size_t rows;                               /* of one kv head: Nq * group */
  size_t query_tile;                         /* br */
  size_t query_tiles;                        /* per kv head */
  size_t key_tiles;                          /* over all keys that any row sees */
  size_t key_panels, splits;                 /* likewise */
  size_t value_panels;                       /* panels across Dv */
  size_t acc_stride;                         /* value_panels * W */
  size_t key_tile_floats, value_tile_floats; /* one packed tile of one kv head */
  Source source;
  bool by_split; /* local or direct, and each split is a piece of work */
  size_t heads;  /* B * Hk */

  size_t keys_at, values_at; /* packed, for all heads; shared only. Byte offsets */
  size_t partials_at;        /* states of all splits; by_split only */
  size_t partial_bytes;      /* one of them */
  size_t threads_at, thread_bytes;
  size_t bytes;
  bool overflow;
} Tiling;

/* One thread's scratch. */
typedef struct Scratch {
  float *query;        /* [br / R] blocks of [D][R] */
  float *scores;       /* [R, KEY_TILE] */
  float *rescale;      /* [R] */
  float *key, *value;  /* one packed tile (local), or all of a kv head's (head) */
  Online split, total; /* [br] */
} Scratch;

/* The tiling of a problem; .overflow is set if it cannot be counted in bytes. */
Tiling tiling_of(const AttendContext *context, const Problem *problem);

/* Thread number `thread`'s scratch in the workspace. */
Scratch tiling_scratch(const Tiling *tiling, const Problem *problem, void *workspace,
                       size_t thread);

/* The partial state of split `split` of kv head number `head`; by_split only. */
Online tiling_partial(const Tiling *tiling, const Problem *problem, void *workspace, size_t head,
                      size_t split);

#endif
