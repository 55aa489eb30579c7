/* online.h - the state of an online softmax: m, l and the accumulator of some rows.
 *
 * For the keys that it has seen, a row holds m = max s, l = sum 2^(s - m) and acc = sum 2^(s - m) v,
 * with scores s in the log2 domain (Milakov and Gimelshein 2018; FlashAttention: Dao et al. 2022).
 * The empty state is m = -inf, l = 0, acc = 0. Two states over disjoint keys merge into the state
 * over both. Merging an empty state changes no bit. Kernels update a state in place.
 */
#ifndef ATTEND_SRC_PATHS_ONLINE_H
#define ATTEND_SRC_PATHS_ONLINE_H

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

typedef struct Online {
  float *max;     /* [rows], m */
  float *sum;     /* [rows], l */
  float *acc;     /* [rows, stride] */
  size_t columns; /* columns of acc in use, at most stride */
  size_t stride;
} Online;

/* The state without its first `row` rows. */
static inline Online online_from(Online state, size_t row) {
  state.max += row;
  state.sum += row;
  state.acc += row * state.stride;
  return state;
}

/* Makes the rows empty. */
static inline void online_init(Online state, size_t rows) {
  for (size_t r = 0; r < rows; r++) {
    state.max[r] = -INFINITY;
    state.sum[r] = 0.0f;
  }
  memset(state.acc, 0, rows * state.stride * sizeof *state.acc);
}

static inline bool online_is_empty(Online state, size_t row) {
  return state.max[row] == -INFINITY && state.sum[row] == 0.0f;
}

/* a := a * x + b * y. The factors are passed by value, so that the compiler can vectorise the
 * loop. */
static inline void online_add(float *restrict a, float x, const float *restrict b, float y,
                              size_t columns) {
#pragma omp simd
  for (size_t c = 0; c < columns; c++) a[c] = a[c] * x + b[c] * y;
}

static inline void online_scale(float *restrict to, const float *restrict from, float factor,
                                size_t columns) {
#pragma omp simd
  for (size_t c = 0; c < columns; c++) to[c] = from[c] * factor;
}

/* Merges `from` into `into`. The keys of `from` come after those of `into`; the strides are
 * equal. */
static inline void online_merge(const Kernels *kernels, Online into, Online from, size_t rows) {
  for (size_t r = 0; r < rows; r++) {
    if (online_is_empty(from, r)) continue;
    float *const a = into.acc + r * into.stride;
    const float *const b = from.acc + r * from.stride;
    if (online_is_empty(into, r)) {
      into.max[r] = from.max[r];
      into.sum[r] = from.sum[r];
      memcpy(a, b, into.stride * sizeof *a);
      continue;
    }
    const float m = from.max[r] > into.max[r] ? from.max[r] : into.max[r];
    const float drop[2] = {into.max[r] - m, from.max[r] - m};
    float factor[2];
    kernels->exp2(2, drop, factor);
    into.max[r] = m;
    into.sum[r] = into.sum[r] * factor[0] + from.sum[r] * factor[1];
    online_add(a, factor[0], b, factor[1], into.columns);
  }
}

/* Adds a sink to a row: a logit in the log2 domain with a weight but no value. The accumulator of an
 * empty row may hold anything; it becomes zero. */
static inline void online_add_logit(const Kernels *kernels, Online state, size_t row, float logit) {
  if (logit == -INFINITY) return;
  float *const acc = state.acc + row * state.stride;
  if (online_is_empty(state, row)) memset(acc, 0, state.stride * sizeof *acc);
  const float m = state.max[row] > logit ? state.max[row] : logit;
  const float drop[2] = {state.max[row] - m, logit - m};
  float factor[2];
  kernels->exp2(2, drop, factor);
  state.max[row] = m;
  state.sum[row] = state.sum[row] * factor[0] + factor[1];
  for (size_t c = 0; c < state.columns; c++) acc[c] *= factor[0];
}

/* Writes one row's output, acc / l, or zeros if the row saw no key. */
static inline void online_finish(Online state, size_t row, float *out) {
  if (state.sum[row] == 0.0f) {
    memset(out, 0, state.columns * sizeof *out);
  } else {
    online_scale(out, state.acc + row * state.stride, 1.0f / state.sum[row], state.columns);
  }
}

/* One row's log-sum-exp as a natural logarithm, -inf if the row saw no key. */
static inline float online_lse(Online state, size_t row) {
  const float ln_2 = 0.693147180559945309417f;
  if (state.sum[row] == 0.0f) return -INFINITY;
  return (state.max[row] + log2f(state.sum[row])) * ln_2;
}

#endif
