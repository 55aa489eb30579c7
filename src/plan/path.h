/* path.h - what an algorithm for the core is to the rest of the library.
 *
 * A path is a constant record of functions. A forward call asks fits() of one path after the other
 * until one accepts, and hands what that one computed to its run(), which cannot fail. Words are
 * made by explain() alone, for a plan or for a call that no path accepted.
 */
#ifndef ATTEND_SRC_PLAN_PATH_H
#define ATTEND_SRC_PLAN_PATH_H

#include "context.h"
#include "layer/linear.h"
#include "paths/path_blas.h"
#include "paths/path_naive.h"
#include "problem/problem.h"
#include "problem/work.h"
#include "tiled/tiling.h"

/* Why a path does not run a problem. */
typedef enum PathRefusal {
  PATH_FITS,
  PATH_NOT_COUNTABLE, /* the bytes of its scratch do not fit in a size_t */
  PATH_OTHER_PRECISION,
  PATH_BEYOND_BLAS,      /* a size or stride that the BLAS cannot count to */
  PATH_ROWS_OVERLAP,     /* of an operand, which the BLAS cannot read then */
  PATH_OVER_SCORE_LIMIT, /* the settings' score_memory_limit_bytes */
} PathRefusal;

/* What a path found out about a problem. run() computes none of it again. */
typedef struct PathFit {
  PathRefusal refusal;
  size_t workspace_bytes;      /* 0 if the path refused before it counted them */
  size_t score_bytes;          /* whole score matrices, part of the former */
  size_t query_tile, key_tile; /* 0 in a path without tiles */
  union {
    NaiveFit naive;
    BlasFit blas;
    Tiling tiled;
  };
} PathFit;

typedef struct Path {
  AttendPath id;
  const char *nature; /* what it does, in a few words, for plans */

  /* Sets everything in *fit. Takes time per sequence of the batch, not per row. */
  void (*fits)(const AttendContext *context, const Problem *problem, PathFit *fit);

  /* Writes why the path runs the problem as it would, or why it refuses it. */
  void (*explain)(const AttendContext *context, const Problem *problem, const PathFit *fit,
                  char text[ATTEND_REASON_SIZE]);

  /* Computes the problem and gathers the clocks of its threads. Since fits() accepted it, views may
   * have been set and tokens appended to the cache. `workspace` is aligned and has the bytes of
   * *fit. */
  void (*run)(AttendContext *context, const Problem *problem, const PathFit *fit, void *workspace);

  /* Adds the work of a run to the phases in which this path does it. */
  void (*count)(Profiler *profiler, const CoreWork *work);

  /* Bytes of scratch that a projection of so many rows may need, whatever the weights' storage.
   * Null: none. */
  size_t (*project_bytes)(const AttendContext *context, size_t in, size_t out, size_t rows,
                          bool *overflow);

  /* x [rows, in] -> y [rows, out], both dense. `scratch` is aligned and as large as that. */
  void (*project)(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                  void *scratch, float *y);
} Path;

/* The symbol of a path's record, so that private_names.h need not list it. */
#define PATH_RECORD(name) attend_private_path_##name

#define ATTEND_PATH_RECORD(name, ID) extern const Path PATH_RECORD(name);
#include "plan/paths.def"
#undef ATTEND_PATH_RECORD

/* The paths from the fastest to the plainest, ended by null: the order in which AUTO tries them. */
extern const Path *const path_list[];

const Path *path_get(AttendPath id);

/* The public status of a refusal; OK for PATH_FITS. */
static inline AttendStatus path_status(PathRefusal refusal) {
  switch (refusal) {
  case PATH_FITS:
    return ATTEND_OK;
  case PATH_NOT_COUNTABLE:
    return ATTEND_STATUS_OVERFLOW;
  case PATH_OVER_SCORE_LIMIT:
    return ATTEND_STATUS_MEMORY_LIMIT;
  case PATH_OTHER_PRECISION:
  case PATH_BEYOND_BLAS:
  case PATH_ROWS_OVERLAP:
    break;
  }
  return ATTEND_STATUS_PATH_REFUSED;
}

#endif
