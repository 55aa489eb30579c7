/* naive.h - one head of attention in plain loops: its letters, its matrices, and the function that
 * computes it (naive.c). */
#ifndef ATTEND_SRC_PATHS_NAIVE_H
#define ATTEND_SRC_PATHS_NAIVE_H

#include "problem/problem.h"
#include "profile.h"

/* One query head h of one sequence, with all its matrices in the order in which they arise. All are
 * row-major. */
typedef struct NaiveHead {
  size_t Nq; /* query tokens */
  size_t Nk; /* key tokens */
  size_t D;  /* head dimension of Q and K */
  size_t Dv; /* head dimension of V */
  size_t h;  /* the query head */
  size_t g;  /* the key/value head that it reads: h / (Hq / Hk) */

  float *query;         /* [Nq, D]   Q */
  float *key;           /* [Nk, D]   K */
  float *value;         /* [Nk, Dv]  V */
  float *scores;        /* [Nq, Nk]  scale * Q K^T */
  float *capped_scores; /* [Nq, Nk]  with a softcap; otherwise the scores themselves */
  float *masked_scores; /* [Nq, Nk]  -inf where a query must not look */
  float *weights;       /* [Nq, Nk]  shares of a row, 0 where hidden */
  float *sums;          /* [Nq]      what each row of weights was divided by */
  float *context;       /* [Nq, Dv]  weights V */

  const Problem *problem; /* scale and options, and where Q, K, V and the output lie */
  Sequence sequence;
  Profiler *profiler; /* with the thread and its clock, for naive_lap() */
  size_t thread;
  double clock;
} NaiveHead;

/* Computes the head: fills the matrices, and writes its columns of the output and its LSE. */
void naive_attention(NaiveHead *x);

/* Books the time since the last lap under the phase, if the call is profiled. */
static inline void naive_lap(NaiveHead *x, AttendPhase phase) {
  x->clock = profile_add(x->profiler, x->thread, phase, x->clock);
}

/* Passes 3, 4 and 5 for one row, that of query token i and query head h: `from` and `to` are
 * [key_tokens] and may be the same row. The other paths skip what is hidden and work in powers of
 * 2; a tap's matrices are formed for them by these same steps (show_scores.c), so that they mean
 * the same whichever path ran. */
void naive_cap_row(const Problem *p, const Sequence *s, const float *from, float *to);
void naive_mask_row(const Problem *p, const Sequence *s, size_t h, size_t i, const float *from,
                    float *to);

/* What a softmax leaves beside the weights of its row. */
typedef struct NaiveRow {
  float sum; /* what the weights were divided by; 0 for a row that has none, all of them 0 */
  float lse; /* log of the sum of exp(score), the sink included; -inf if that sum is 0 */
} NaiveRow;

NaiveRow naive_softmax_row(const Problem *p, const Sequence *s, size_t h, const float *from,
                           float *to);

#endif
