/* problem.h - one core problem, checked: what every path is given.
 *
 * The rule of visibility stands here and nowhere else. In a problem that shape.c accepted, every
 * product of sizes and strides fits, pointers are aligned and the output overlaps nothing.
 */
#ifndef ATTEND_SRC_PROBLEM_H
#define ATTEND_SRC_PROBLEM_H

#include "attend/attend.h"
#include "fault.h"

typedef struct Problem {
  AttendShape shape;
  size_t group; /* query heads per kv head, Hq / Hk */
  float scale;  /* of q.k, the default already put in */
  bool causal;
  int64_t q_start;
  AttendView query, key, value;
  AttendOutputView out;
  float *lse; /* [B, Hq, Nq] or null */
} Problem;

/* Keys that query token i sees: the first so many of them. */
static inline size_t problem_visible(const Problem *problem, size_t i) {
  const size_t keys = problem->shape.key_tokens;
  if (!problem->causal) return keys;
  if (problem->q_start < 0) {
    const uint64_t before = 0 - (uint64_t)problem->q_start; /* |q_start|, also of INT64_MIN */
    if (i < before) return 0;
    return i - before < keys ? (size_t)(i - before) + 1 : keys;
  }
  if ((uint64_t)problem->q_start >= keys) return keys;
  const size_t start = (size_t)problem->q_start;
  return i < keys - start ? start + i + 1 : keys;
}

static inline const float *problem_query(const Problem *p, size_t b, size_t i, size_t h) {
  return p->query.data + b * p->query.batch_stride + i * p->query.token_stride +
         h * p->query.head_stride;
}

/* Keys and values are addressed by the kv head that query head h reads: g = h / group. */
static inline const float *problem_key(const Problem *p, size_t b, size_t j, size_t g) {
  return p->key.data + b * p->key.batch_stride + j * p->key.token_stride + g * p->key.head_stride;
}

static inline const float *problem_value(const Problem *p, size_t b, size_t j, size_t g) {
  return p->value.data + b * p->value.batch_stride + j * p->value.token_stride +
         g * p->value.head_stride;
}

static inline float *problem_out(const Problem *p, size_t b, size_t i, size_t h) {
  return p->out.data + b * p->out.batch_stride + i * p->out.token_stride + h * p->out.head_stride;
}

/* Where the LSE of a row goes, or null. */
static inline float *problem_lse(const Problem *p, size_t b, size_t i, size_t h) {
  return p->lse ? p->lse + (b * p->shape.query_heads + h) * p->shape.query_tokens + i : NULL;
}

/* Sum over query tokens of the keys each sees, for one sequence and head. */
double problem_visible_pairs(const Problem *problem);

/* Checks that options, null for the defaults, were initialised and are in range. */
AttendStatus problem_check_options(const AttendOptions *options, Fault *fault);

/* Checks sizes and options (not pointers) and fills `problem` except for its views. */
AttendStatus problem_set_sizes(Problem *problem, const AttendShape *shape,
                               const AttendOptions *options, Fault *fault);

/* Checks the views, their strides and overlaps, and puts them in. */
AttendStatus problem_set_views(Problem *problem, AttendView query, AttendView key, AttendView value,
                               AttendOutputView out, float *lse, Fault *fault);

#endif
