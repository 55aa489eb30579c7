/* tiling.h - how the tiled path cuts a problem, and where everything lies in the workspace.
 *
 * Owns the sizes of tiles and splits. A tiling is a function of the problem's sizes, the kernels
 * and the number of threads, so that a plan and the run that follows agree. None of its choices
 * changes a bit of the result, but for KEY_TILE and KEY_SPLIT, which are constants.
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
typedef enum Source {
  SOURCE_HEAD,
  SOURCE_SHARED,
  SOURCE_LOCAL,
  SOURCE_DIRECT,
  SOURCE_CACHED,
} Source;

/* How one sequence of the batch is cut. Tiles and splits are numbered from key 0 of the sequence. */
typedef struct Cut {
  Sequence sequence;
  size_t rows;                    /* of one kv head: Nq * group */
  size_t query_tile, query_tiles; /* br, and how many of them per kv head */
  size_t tile_begin, tile_end;    /* tiles of keys that any row sees */
  size_t split_begin, split_end;  /* splits, likewise */
  Source source;
  bool by_split;     /* each split is a piece of work; local, direct or cached only */
  size_t pieces;     /* of work */
  double pairs;      /* of rows and keys, about */
  size_t packed_at;  /* floats to its packed K and V, of all kv heads; shared only */
  size_t partial_at; /* number of its first partial state; by_split only */
  size_t first_piece, first_pack, first_merge; /* in the lists of work of the whole batch */
} Cut;

/* Offsets and sizes of one call. Floats unless they say bytes. */
typedef struct Tiling {
  size_t R, W;
  size_t query_tile;                         /* of the sequence that has the largest */
  size_t acc_stride;                         /* Dv, to whole register tiles */
  size_t key_tile_floats, value_tile_floats; /* one packed tile of one kv head */
  size_t pieces, packs, merges;              /* work of the three phases */
  double pairs;                              /* of rows and keys, about */
  size_t local_tiles;                        /* that a thread packs for itself at most */
  Cut first;                                 /* of sequence 0, for plans */

  size_t cuts_at, packed_at, partials_at; /* byte offsets */
  size_t partial_bytes;                   /* one state */
  size_t threads_at, thread_bytes;
  size_t bytes;
  bool overflow;
} Tiling;

/* One thread's scratch. */
typedef struct Scratch {
  float *query;        /* [br / R] blocks of [D][R] */
  float *scores;       /* [R, KEY_TILE] */
  float *rescale;      /* [R] */
  float *key, *value;  /* packed tiles: one (local), or all of a kv head's (head) */
  Online split, total; /* [br] */
} Scratch;

/* The tiling of a problem; .overflow is set if it cannot be counted in bytes. */
Tiling tiling_of(const AttendContext *context, const Problem *problem);

/* Writes the cuts of all sequences into the workspace, those with the most work first, and returns
 * them. */
Cut *tiling_cuts(const AttendContext *context, const Tiling *tiling, const Problem *problem,
                 void *workspace);

/* Thread number `thread`'s scratch in the workspace. */
Scratch tiling_scratch(const Tiling *tiling, const Problem *problem, void *workspace,
                       size_t thread);

/* The partial state of split `split` of a kv head; by_split only. */
Online tiling_partial(const Tiling *tiling, const Problem *problem, void *workspace, const Cut *cut,
                      size_t kv_head, size_t split);

#endif
