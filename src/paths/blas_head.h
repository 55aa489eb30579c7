/* blas_head.h - one head of the blas path. */
#ifndef ATTEND_SRC_PATHS_BLAS_HEAD_H
#define ATTEND_SRC_PATHS_BLAS_HEAD_H

#include "context.h"
#include "paths/path_blas.h"
#include "problem/problem.h"

/* Rows that are multiplied at a time. */
#define BLAS_BLOCK_ROWS 128

/* Computes query head h of sequence b, in the scratch `mine`, which is laid out as *scratch says.
 * Adds to the clocks of `thread`. */
void blas_head_run(AttendContext *context, const Problem *problem, const BlasScratch *scratch,
                   size_t b, size_t h, size_t thread, char *mine);

#endif
