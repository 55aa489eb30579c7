/* adjustment.h - what the options ask of the `score_mod` kernel, for one row of scores.
 *
 * The blas and tiled paths put softcap, ALiBi, bias and mask on their scores, which are in the log2
 * domain, by the same kernel with the same numbers. Causal order, window and length are no part of
 * it: they are a row's KeyRange.
 */
#ifndef ATTEND_SRC_ADJUSTMENT_H
#define ATTEND_SRC_ADJUSTMENT_H

#include <float.h>

#include "kernels/kernels.h"
#include "problem/problem.h"

/* Whether anything stands between q.k and the softmax. */
static inline bool adjustment_is_needed(const Problem *p) {
  return p->options.softcap > 0.0f || p->options.alibi_slopes || problem_has_mask(p);
}

/* For the scores of query token i and head h of a sequence, from key `first` on. */
static inline KernelScoreMod adjustment_of(const Problem *p, const Sequence *s, size_t h, size_t i,
                                           size_t first) {
  const float log2_e = 1.44269504088896340736f;
  const AttendOptions *const o = &p->options;
  const float *const bias = problem_bias_row(p, s->index, h, i);
  const uint8_t *const mask = problem_mask_row(p, s->index, h, i);
  return (KernelScoreMod){
      .softcap = o->softcap * log2_e,
      .slope = o->alibi_slopes ? o->alibi_slopes[h] * log2_e : 0.0f,
      .distance = (float)problem_shift(problem_position(s, i), -(int64_t)first),
      .bias = bias ? bias + first * o->bias.key_stride : NULL,
      .mask = mask ? mask + first * o->mask.key_stride : NULL,
      .bias_stride = o->bias.key_stride,
      .mask_stride = o->mask.key_stride,
  };
}

/* The sink of query head h in the log2 domain, -inf where there is none. A finite one stays
 * finite. */
static inline float adjustment_sink(const Problem *p, size_t h) {
  if (!p->options.sinks) return -__builtin_inff();
  const float sink = p->options.sinks[h], scaled = sink * 1.44269504088896340736f;
  if (scaled <= FLT_MAX && scaled >= -FLT_MAX) return scaled;
  return sink > FLT_MAX || sink < -FLT_MAX || sink != sink ? sink : sink > 0 ? FLT_MAX : -FLT_MAX;
}

#endif
