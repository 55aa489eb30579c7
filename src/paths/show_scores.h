/* show_scores.h - a tap's score matrices, for the paths that do not keep them. */
#ifndef ATTEND_SRC_PATHS_SHOW_SCORES_H
#define ATTEND_SRC_PATHS_SHOW_SCORES_H

#include "context.h"
#include "problem/problem.h"

/* How Q K^T is formed: as the path that has run forms it. */
typedef enum ShowProduct {
  SHOW_BY_BLAS,    /* by cblas_sgemm; it needs rows that do not overlap */
  SHOW_BY_KERNELS, /* by unpacked_scores, or by gemm_bf16 in the precisions of bf16 */
} ShowProduct;

/* The scratch that show_scores() needs; none without a tap. */
typedef struct ShowNeeds {
  size_t bytes;
  size_t score_bytes; /* the part of it that holds a matrix of scores */
  bool overflow;
} ShowNeeds;

ShowNeeds show_scores_needs(const AttendContext *context, const Problem *problem);

/* Hands the context's tap scores, capped_scores (if there is a softcap), masked_scores and weights of
 * every sequence and head in order, each with the rows of context_tap_rows(). Does nothing without a
 * tap. `scratch` is aligned and may be the workspace of the run: call this after the run. */
void show_scores(AttendContext *context, const Problem *problem, ShowProduct product,
                 void *scratch);

#endif
