/* problem.h - one core problem, checked: what every path is given.
 *
 * The rule of visibility stands here and nowhere else. In a problem that problem_check.c accepted, every
 * product of sizes and strides fits, pointers are aligned and the output overlaps nothing.
 *
 * A batch is a list of sequences, each with its own numbers of queries and keys and its own place
 * in the operands; problem_sequence() computes them from the shape and the options, in constant
 * time.
 */
#ifndef ATTEND_SRC_PROBLEM_PROBLEM_H
#define ATTEND_SRC_PROBLEM_PROBLEM_H

#include "attend/attend.h"
#include "fault.h"

typedef struct Problem {
  AttendShape shape;     /* query_tokens: of a sequence, or of all of a ragged batch */
  size_t group;          /* query heads per kv head, Hq / Hk */
  float scale;           /* of q.k, the default already put in */
  AttendOptions options; /* as the caller set them, or the defaults */

  bool has_cache; /* keys are those of a cache, and the queries its sequences' last tokens */
  const AttendCache *cache; /* null in a plan by numbers */
  bool appended;            /* the cache already holds the queries' own tokens */
  size_t past;              /* cached tokens of every sequence, where cache is null */

  AttendView query, key, value;
  AttendOutputView out;
  float *lse; /* [B, Hq, Nq] (ragged: [Hq, total]) or null */
} Problem;

/* One sequence of the batch. Pointers are to its first token and head; they are null in a plan. */
typedef struct Sequence {
  size_t index; /* b */
  size_t slot;  /* of the cache */
  size_t query_tokens, key_tokens;
  size_t key_limit; /* keys from here on are hidden from all: key length, end of mask or bias */
  int64_t q_start;
  const float *query, *key, *value; /* key and value only without a cache */
  float *out;
  float *lse;        /* or null */
  size_t lse_stride; /* from head to head */
} Sequence;

Sequence problem_sequence(const Problem *problem, size_t b);

/* Whether the batch is described by offsets. */
static inline bool problem_is_ragged(const Problem *problem) {
  return problem->options.query_offsets != NULL;
}

/* Keys begin .. end, empty if they are equal. */
typedef struct KeyRange {
  size_t begin, end;
} KeyRange;

/* A position clipped to 0 .. limit. */
static inline size_t problem_clip(int64_t position, size_t limit) {
  if (position <= 0) return 0;
  return (uint64_t)position < limit ? (size_t)position : limit;
}

/* a + b, kept within the range of its type. */
static inline int64_t problem_shift(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? INT64_MIN : INT64_MAX;
}

/* The position of query token i. */
static inline int64_t problem_position(const Sequence *sequence, size_t i) {
  return problem_shift(sequence->q_start, (int64_t)i);
}

/* Keys that query token i may see, before mask and bias: causal, window and length. Both ends rise
 * (or stay) from token to token. */
static inline KeyRange problem_range(const Problem *problem, const Sequence *sequence, size_t i) {
  const AttendOptions *const o = &problem->options;
  const int64_t p = problem_position(sequence, i);
  KeyRange range = {0, sequence->key_limit};
  if (o->causal) range.end = problem_clip(problem_shift(p, 1), range.end);
  if (o->window_right >= 0) {
    range.end = problem_clip(problem_shift(problem_shift(p, o->window_right), 1), range.end);
  }
  if (o->window_left >= 0) {
    const int64_t first = problem_shift(sequence->q_start, -o->window_left);
    range.begin = problem_clip(problem_shift(first, (int64_t)i), range.end);
  }
  return range;
}

/* Whether a mask or a bias may hide single keys. */
static inline bool problem_has_mask(const Problem *problem) {
  return problem->options.mask.data || problem->options.bias.data;
}

/* The row of the mask for query head h and token i of sequence b, or null. */
static inline const uint8_t *problem_mask_row(const Problem *p, size_t b, size_t h, size_t i) {
  const AttendMask *const m = &p->options.mask;
  if (!m->data) return NULL;
  return m->data + b * m->batch_stride + h * m->head_stride + i * m->query_stride;
}

/* The row of the bias, or null. */
static inline const float *problem_bias_row(const Problem *p, size_t b, size_t h, size_t i) {
  const AttendBias *const m = &p->options.bias;
  if (!m->data) return NULL;
  return m->data + b * m->batch_stride + h * m->head_stride + i * m->query_stride;
}

/* Whether mask or bias hide key j, which is in the row's range. */
static inline bool problem_masked(const Problem *p, size_t b, size_t h, size_t i, size_t j) {
  const uint8_t *const mask = problem_mask_row(p, b, h, i);
  const float *const bias = problem_bias_row(p, b, h, i);
  if (mask && !mask[j * p->options.mask.key_stride]) return true;
  return bias && bias[j * p->options.bias.key_stride] == -__builtin_inff();
}

/* Where rows of the operands stand. Keys and values are addressed by the kv head g = h / group, and
 * only without a cache; problem_copy_key() and problem_copy_value() know both. */
static inline const float *problem_query(const Problem *p, const Sequence *s, size_t i, size_t h) {
  return s->query + i * p->query.token_stride + h * p->query.head_stride;
}

static inline const float *problem_key(const Problem *p, const Sequence *s, size_t j, size_t g) {
  return s->key + j * p->key.token_stride + g * p->key.head_stride;
}

static inline const float *problem_value(const Problem *p, const Sequence *s, size_t j, size_t g) {
  return s->value + j * p->value.token_stride + g * p->value.head_stride;
}

static inline float *problem_out(const Problem *p, const Sequence *s, size_t i, size_t h) {
  return s->out + i * p->out.token_stride + h * p->out.head_stride;
}

/* Copies key j (value j) of kv head g, from the view or the cache, to a dense row. In a ring only
 * tokens that are still kept may be asked for. */
void problem_copy_key(const Problem *problem, const Sequence *sequence, size_t j, size_t g,
                      float *to);
void problem_copy_value(const Problem *problem, const Sequence *sequence, size_t j, size_t g,
                        float *to);

/* Where the LSE of a row goes, or null. */
static inline float *problem_lse(const Sequence *s, size_t i, size_t h) {
  return s->lse ? s->lse + h * s->lse_stride + i : NULL;
}

/* The largest numbers of queries and of keys that a sequence of the batch has. */
typedef struct LongestSequence {
  size_t query_tokens, key_tokens;
} LongestSequence;

LongestSequence problem_longest(const Problem *problem);

#endif
