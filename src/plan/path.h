/* path.h - what an algorithm for the core is, to the rest of the library.
 *
 * A path is a constant record of functions. It is asked first what it would need for a problem, and
 * may refuse with a reason; after that, given the memory it asked for, its run cannot fail.
 */
#ifndef ATTEND_SRC_PATH_H
#define ATTEND_SRC_PATH_H

#include "context.h"
#include "layer/linear.h"
#include "problem/problem.h"

/* What a path takes for a problem. */
typedef struct PathNeeds {
  size_t workspace_bytes;
  size_t score_bytes; /* whole score matrices, part of the former */
  size_t query_tile, key_tile;
} PathNeeds;

typedef struct Path {
  AttendPath id;
  const char *nature; /* what it does, in a few words, for plans */

  /* Fills *needs and returns OK with the reason for taking this path in reason->text, or a status
   * and the reason against it (*needs then says what it would have needed, if that is known). */
  AttendStatus (*consider)(const AttendContext *context, const Problem *problem, PathNeeds *needs,
                           Fault *reason);

  /* Computes the problem and gathers the clocks of its threads. `workspace` is aligned and as large
   * as consider() said. */
  void (*run)(AttendContext *context, const Problem *problem, void *workspace);

  /* Bytes of scratch that a projection of so many rows may need, whatever the weights' storage.
   * Null: none. */
  size_t (*project_bytes)(const AttendContext *context, size_t in, size_t out, size_t rows,
                          bool *overflow);

  /* x [rows, in] -> y [rows, out], both dense. `scratch` is aligned and as large as that. */
  void (*project)(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                  void *scratch, float *y);
} Path;

extern const Path path_tiled;
extern const Path path_blas;
extern const Path path_naive;

/* The paths from the fastest to the plainest, ended by null: the order in which AUTO tries them. */
extern const Path *const path_list[];

const Path *path_get(AttendPath id);

#endif
