/* path_naive.h - the naive path's steps from scores to weights, one row at a time.
 *
 * The other paths skip what is hidden and work in powers of 2, so a tap's matrices are formed for
 * them by these same steps (show_scores.c), and mean the same whichever path ran.
 *
 * A row is that of query token i of a sequence and query head h: key_tokens numbers. `to` may be
 * `from`.
 */
#ifndef ATTEND_SRC_PATH_NAIVE_H
#define ATTEND_SRC_PATH_NAIVE_H

#include "problem/problem.h"

/* Scores to capped scores; called only where there is a softcap. */
void naive_cap_row(const Problem *p, const Sequence *s, const float *from, float *to);

/* Capped scores (or scores) to masked scores. */
void naive_mask_row(const Problem *p, const Sequence *s, size_t h, size_t i, const float *from,
                    float *to);

/* What became of a row of masked scores. */
typedef struct NaiveRow {
  float sum; /* that its weights were divided by; 0 if it has no weights, and they are all 0 */
  float lse; /* of the scores and the sink */
} NaiveRow;

/* Masked scores to weights. */
NaiveRow naive_normalize_row(const Problem *p, const Sequence *s, size_t h, const float *from,
                             float *to);

/* What the path's fits() leaves to its run(). */
typedef struct NaiveFit {
  size_t threads;          /* heads that run at the same time */
  size_t matrices;         /* Nq x Nk, that a thread holds */
  LongestSequence longest; /* for which each thread has room */
  size_t thread_bytes;
} NaiveFit;

#endif
