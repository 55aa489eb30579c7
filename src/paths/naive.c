/* naive.c - attention as the formula says it, in plain loops.
 *
 *     context = softmax(mask(cap(scale * Q K^T))) V        for one head of one sequence
 *
 * Each numbered pass below is one step of that formula, and each of its matrices is really formed.
 * naive.h has the letters and the shape of every matrix.
 *
 * This file is kept plain on purpose: no BLAS, no intrinsics, no threads, and every pair of query
 * and key is multiplied before the mask hides some of them. The other paths are compared with it.
 */
#include "paths/naive.h"

#include <math.h>

static void gather(NaiveHead *x);
static void score(NaiveHead *x);
static void cap(NaiveHead *x);
static void mask(NaiveHead *x);
static void softmax(NaiveHead *x);
static void weighted_sum(NaiveHead *x);
static void scatter(const NaiveHead *x);

/* The formula, from the inside out. A lap tells the profile which phase the passes above it are. */
void naive_attention(NaiveHead *x) {
  gather(x); /* query, key, value */
  naive_lap(x, ATTEND_PHASE_PACKING);

  score(x); /* scores        = scale * query key^T */
  cap(x);   /* capped_scores = c * tanh(scores / c) */
  mask(x);  /* masked_scores = -inf where a key is hidden */
  naive_lap(x, ATTEND_PHASE_SCORES);

  softmax(x); /* weights = exp(masked_scores) / sum of the row */
  naive_lap(x, ATTEND_PHASE_SOFTMAX);

  weighted_sum(x); /* context = weights value */
  scatter(x);      /* output  = the contexts of all heads side by side */
  naive_lap(x, ATTEND_PHASE_WEIGHTED_SUM);
}

/* Pass 1. query, key, value: the rows of this head, out of the activations of all heads or out of
 * the cache. A cache that is a ring has dropped its oldest tokens. No row sees them; zeros stand in
 * their place. */
static void gather(NaiveHead *x) {
  const Problem *const p = x->problem;
  const size_t first_kept = p->cache ? attend_cache_first(p->cache, x->sequence.slot) : 0;
  for (size_t i = 0; i < x->Nq; i++) {
    const float *const q = problem_query(p, &x->sequence, i, x->h);
    for (size_t d = 0; d < x->D; d++) x->query[i * x->D + d] = q[d];
  }
  for (size_t j = 0; j < x->Nk; j++) {
    float *const key = x->key + j * x->D, *const value = x->value + j * x->Dv;
    if (j >= first_kept) {
      problem_copy_key(p, &x->sequence, j, x->g, key);
      problem_copy_value(p, &x->sequence, j, x->g, value);
    } else {
      for (size_t d = 0; d < x->D; d++) key[d] = 0.0f;
      for (size_t d = 0; d < x->Dv; d++) value[d] = 0.0f;
    }
  }
}

/* Pass 2. scores = scale * Q K^T: how well each query matches each key. */
static void score(NaiveHead *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    for (size_t j = 0; j < x->Nk; j++) {
      float dot = 0.0f;
      for (size_t d = 0; d < x->D; d++) dot += x->query[i * x->D + d] * x->key[j * x->D + d];
      x->scores[i * x->Nk + j] = x->problem->scale * dot;
    }
  }
}

/* Pass 3. capped_scores = c * tanh(scores / c), c being the softcap: small scores stay as they are,
 * and none gets beyond c. Most models have no softcap. */
static void cap(NaiveHead *x) {
  if (x->problem->options.softcap == 0.0f) return;
  for (size_t i = 0; i < x->Nq; i++) {
    naive_cap_row(x->problem, &x->sequence, x->scores + i * x->Nk, x->capped_scores + i * x->Nk);
  }
}

void naive_cap_row(const Problem *p, const Sequence *s, const float *from, float *to) {
  const float c = p->options.softcap;
  for (size_t j = 0; j < s->key_tokens; j++) to[j] = c * tanhf(from[j] / c);
}

/* Pass 4. masked_scores: ALiBi lowers a score by the distance of key and query, the bias adds what
 * the caller wants, and a key that the query must not see gets minus infinity, whatever its score.
 * Causal order, window and length leave a range of keys; mask and bias hide single ones in it. */
static void mask(NaiveHead *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    naive_mask_row(x->problem, &x->sequence, x->h, i, x->capped_scores + i * x->Nk,
                   x->masked_scores + i * x->Nk);
  }
}

void naive_mask_row(const Problem *p, const Sequence *s, size_t h, size_t i, const float *from,
                    float *to) {
  const float slope = p->options.alibi_slopes ? p->options.alibi_slopes[h] : 0.0f;
  const float *const bias = problem_bias_row(p, s->index, h, i);
  const int64_t position = problem_position(s, i);
  const KeyRange range = problem_range(p, s, i);
  for (size_t j = 0; j < s->key_tokens; j++) {
    const bool in_range = range.begin <= j && j < range.end;
    if (in_range && !problem_masked(p, s->index, h, i, j)) {
      const float distance = fabsf((float)problem_shift(position, -(int64_t)j));
      to[j] = from[j] - slope * distance;
      if (bias) to[j] += bias[j * p->options.bias.key_stride];
    } else {
      to[j] = -INFINITY;
    }
  }
}

/* Pass 5. weights = softmax of each row of masked scores. */
static void softmax(NaiveHead *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    const NaiveRow row = naive_softmax_row(x->problem, &x->sequence, x->h,
                                           x->masked_scores + i * x->Nk, x->weights + i * x->Nk);
    float *const lse = problem_lse(&x->sequence, i, x->h);
    if (lse) *lse = row.lse;
    x->sums[i] = row.sum;
  }
}

/* w_j = exp(s_j - m) / l, where m is the row's largest score and l the sum of exp(s - m).
 * Subtracting m changes nothing in the quotient and keeps exp from overflowing. The sink is one
 * more score of the row: it takes its share of the weight and has no value to give it to. A row
 * without any score above minus infinity has no weights. */
NaiveRow naive_softmax_row(const Problem *p, const Sequence *s, size_t h, const float *from,
                           float *to) {
  const float sink = p->options.sinks ? p->options.sinks[h] : -INFINITY;
  bool any = false;
  float m = sink;
  for (size_t j = 0; j < s->key_tokens; j++) {
    if (from[j] > m) m = from[j];
    if (from[j] != -INFINITY) any = true;
  }
  const float shift = m == -INFINITY ? 0.0f : m;
  float l = expf(sink - shift);
  for (size_t j = 0; j < s->key_tokens; j++) {
    to[j] = expf(from[j] - shift);
    l += to[j];
  }
  for (size_t j = 0; j < s->key_tokens; j++) to[j] = any ? to[j] / l : 0.0f;
  return (NaiveRow){.sum = any ? l : 0.0f, .lse = l == 0.0f ? -INFINITY : m + logf(l)};
}

/* Pass 6. context = weights V: each row is a mean of the values that it sees. Only they are added
 * up, and only by a row that has weights, so that a hidden NaN stays hidden (0 * NaN is NaN). */
static void weighted_sum(NaiveHead *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    float *const context = x->context + i * x->Dv;
    for (size_t d = 0; d < x->Dv; d++) context[d] = 0.0f;
    if (x->sums[i] == 0.0f) continue;
    const KeyRange range = problem_range(x->problem, &x->sequence, i);
    for (size_t j = range.begin; j < range.end; j++) {
      if (problem_masked(x->problem, x->sequence.index, x->h, i, j)) continue;
      const float w = x->weights[i * x->Nk + j];
      for (size_t d = 0; d < x->Dv; d++) context[d] += w * x->value[j * x->Dv + d];
    }
  }
}

/* Pass 7. output: the head's context becomes its columns, and the heads lie side by side. */
static void scatter(const NaiveHead *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    float *const out = problem_out(x->problem, &x->sequence, i, x->h);
    for (size_t d = 0; d < x->Dv; d++) out[d] = x->context[i * x->Dv + d];
  }
}
