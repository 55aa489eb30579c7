/* path_blas.h - what the blas path computes about a problem before it runs. */
#ifndef ATTEND_SRC_PATHS_PATH_BLAS_H
#define ATTEND_SRC_PATHS_PATH_BLAS_H

#include <stdbool.h>
#include <stddef.h>

/* One thread's scratch, for the longest sequence. Score rows are whole panels for the kernels. */
typedef struct BlasScratch {
  size_t rows;                                  /* of the score matrix */
  size_t score_stride;                          /* of its rows */
  size_t gathered;                              /* rows of keys and values out of a cache */
  size_t scores, context, max, sum, key, value; /* offsets in bytes */
  size_t bytes;
  bool overflow;
} BlasScratch;

/* What the path's fits() leaves to its run(). */
typedef struct BlasFit {
  BlasScratch scratch;
  size_t threads; /* over heads; 1 leaves the threads to the BLAS */
} BlasFit;

#endif
