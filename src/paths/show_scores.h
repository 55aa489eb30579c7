/* show_scores.h - the score matrices of a tap, for the paths that do not hold them. */
#ifndef ATTEND_SRC_SHOW_SCORES_H
#define ATTEND_SRC_SHOW_SCORES_H

#include "context.h"
#include "problem/problem.h"

/* Who multiplies queries and keys. */
typedef enum ShowProduct {
  SHOW_BY_BLAS,    /* cblas_sgemm, which wants rows that do not overlap */
  SHOW_BY_KERNELS, /* unpacked_scores, or multiply: the products that the tiled path forms */
} ShowProduct;

/* Scratch that show_scores() takes, none without a tap. */
typedef struct ShowNeeds {
  size_t bytes;
  size_t score_bytes; /* part of it that holds a matrix of scores */
  bool overflow;
} ShowNeeds;

ShowNeeds show_scores_needs(const AttendContext *context, const Problem *problem);

/* Shows the context's tap scores, capped_scores (if there is a softcap), masked_scores and weights
 * of every sequence and head in order, with the rows that context_tap_rows() asks for (none where a
 * sequence does not have them). Does nothing without a tap. scratch is aligned, and nothing of the
 * result lies in it: call it after the run, with the same workspace. */
void show_scores(AttendContext *context, const Problem *problem, ShowProduct product,
                 void *scratch);

#endif
