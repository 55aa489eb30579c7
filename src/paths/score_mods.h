/* score_mods.h - the operands of the `score_mod` kernel for one row of scores, from the options.
 *
 * The blas and tiled paths apply softcap, ALiBi, bias and mask by the same kernel with the same
 * operands. Their scores are in the log2 domain: multiplied by log2(e), so that exp becomes exp2.
 * Causal order, window and length are not score mods; they limit a row's KeyRange.
 */
#ifndef ATTEND_SRC_PATHS_SCORE_MODS_H
#define ATTEND_SRC_PATHS_SCORE_MODS_H

#include <float.h>

#include "kernels/kernels.h"
#include "problem/problem.h"

/* Whether the options change scores between q.k and the softmax. */
static inline bool score_mod_needed(const Problem *p) {
  return p->options.softcap > 0.0f || p->options.alibi_slopes || problem_has_mask(p);
}

/* For the scores of query token i and query head h of a sequence with the keys from `first` on. */
static inline KernelScoreMod score_mod_of(const Problem *p, const Sequence *s, size_t h, size_t i,
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

/* The sink of query head h in the log2 domain, -inf if there is none. A finite sink stays finite: a
 * product beyond FLT_MAX becomes FLT_MAX. */
static inline float score_mod_sink(const Problem *p, size_t h) {
  if (!p->options.sinks) return -__builtin_inff();
  const float sink = p->options.sinks[h], scaled = sink * 1.44269504088896340736f;
  if (scaled <= FLT_MAX && scaled >= -FLT_MAX) return scaled;
  if (sink > FLT_MAX || sink < -FLT_MAX || sink != sink) return sink;
  return sink > 0 ? FLT_MAX : -FLT_MAX;
}

#endif
