/* blas_head.c - one head of the blas path: its whole score matrix, by two products of the BLAS.
 *
 *   S = scale * Q K^T   [Nq, Nk]   cblas_sgemm, in blocks of rows
 *   P = exp2(S - m)                score_mod and softmax kernels, row by row, in place
 *   O = P V / l         [Nq, Dv]   cblas_sgemm, in the same blocks
 *
 * What is hidden is left out in blocks: a block of BLAS_BLOCK_ROWS rows multiplies only the keys
 * between the first that its first row may see and the last that its last row may see, and its
 * scores begin with the former. What remains hidden inside the block gets weight 0. Because 0 * NaN
 * would be NaN, values there are looked at first: if one is not finite, the block adds visible
 * values one by one. Keys and values of a cache are gathered row-major first, once for each query
 * head.
 */
#include "paths/blas_head.h"

#include "paths/online.h"
#include "paths/score_mods.h"
#include "platform/blas.h"
#include "size.h"

#define LOG2_E 1.44269504088896340736f

/* One head of one sequence, and where it works. */
typedef struct Head {
  const Kernels *kernels;
  const Problem *problem;
  Sequence sequence;
  size_t h, g;
  size_t first_key;         /* that row 0 of key and value is */
  const float *key, *value; /* in place, or gathered out of the cache */
  size_t key_stride, value_stride;
  float *scores; /* [Nq, score_stride] */
  size_t score_stride;
  Online state; /* of the rows of a block */
} Head;

/* Some rows of a head, and the keys that any of them may see. */
typedef struct Block {
  size_t first, rows;
  KeyRange keys;
} Block;

/* The block that begins with row `first` of the sequence. */
static Block block_at(const Head *x, size_t first) {
  const size_t rows = size_min(BLAS_BLOCK_ROWS, x->sequence.query_tokens - first);
  const size_t begin = problem_range(x->problem, &x->sequence, first).begin;
  const size_t end = problem_range(x->problem, &x->sequence, first + rows - 1).end;
  return (Block){first, rows, {begin, end}};
}

static const float *key_row(const Head *x, size_t j) {
  return x->key + (j - x->first_key) * x->key_stride;
}

static const float *value_row(const Head *x, size_t j) {
  return x->value + (j - x->first_key) * x->value_stride;
}

/* Keys and values where the BLAS can read them: those of a cache are copied, as far as rows see
 * them. */
static void find_keys(Head *x, float *key, float *value) {
  const Problem *const p = x->problem;
  const Sequence *const s = &x->sequence;
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim;
  if (!p->has_cache) {
    x->key = s->key_tokens ? problem_key(p, s, 0, x->g) : NULL;
    x->value = s->key_tokens ? problem_value(p, s, 0, x->g) : NULL;
    x->key_stride = p->key.token_stride;
    x->value_stride = p->value.token_stride;
    return;
  }
  x->first_key = problem_range(p, s, 0).begin;
  x->key = key;
  x->value = value;
  x->key_stride = D;
  x->value_stride = Dv;
  const size_t end = problem_range(p, s, s->query_tokens - 1).end;
  for (size_t j = x->first_key; j < end; j++) {
    problem_copy_key(p, s, j, x->g, key + (j - x->first_key) * D);
    problem_copy_value(p, s, j, x->g, value + (j - x->first_key) * Dv);
  }
}

/* S = scale * log2(e) * Q K^T for a block. */
static void score(const Head *x, const Block *block) {
  const Problem *const p = x->problem;
  const float scale = p->scale * LOG2_E;
  const size_t keys = block->keys.end - block->keys.begin;
  if (keys == 0) return;
  const float *const query = problem_query(p, &x->sequence, block->first, x->h);
  const float *const key = key_row(x, block->keys.begin);
  float *const scores = x->scores + block->first * x->score_stride;
  if (block->rows == 1) {
    blas_gemv(keys, p->shape.head_dim, scale, key, x->key_stride, false, query, 1, scores, 1);
  } else {
    blas_gemm(block->rows, keys, p->shape.head_dim, scale, query, p->query.token_stride, key,
              x->key_stride, true, 0.0f, scores, x->score_stride);
  }
}

/* Softcap, ALiBi, bias and mask for a block. */
static void score_mod(const Head *x, const Block *block) {
  const size_t begin = block->keys.begin, keys = block->keys.end - begin;
  for (size_t i = block->first; i < block->first + block->rows; i++) {
    const KernelScoreMod how = score_mod_of(x->problem, &x->sequence, x->h, i, begin);
    x->kernels->score_mod(keys, &how, x->scores + i * x->score_stride);
  }
}

/* Rows of S become weights, not yet divided by their sum. */
static void softmax(const Head *x, const Block *block) {
  const size_t begin = block->keys.begin;
  const size_t width = size_round_up(block->keys.end - begin, KERNEL_PANEL);
  for (size_t r = 0; r < block->rows; r++) {
    const KeyRange range = problem_range(x->problem, &x->sequence, block->first + r);
    const size_t first = range.begin - begin, visible = range.end - begin;
    float rescale = 0.0f;
    x->state.max[r] = -INFINITY;
    x->state.sum[r] = 0.0f;
    x->kernels->softmax_ragged(1, width, &first, &visible,
                               x->scores + (block->first + r) * x->score_stride, x->score_stride,
                               x->state.max + r, x->state.sum + r, &rescale);
  }
}

/* Compares bits, which the compiler can do for several values at once. */
static bool are_finite(const Head *x, size_t from, size_t to) {
  const uint32_t exponent = 0x7f800000;
  for (size_t j = from; j < to; j++) {
    const float *const value = value_row(x, j);
    uint32_t found = 0;
    for (size_t d = 0; d < x->problem->shape.value_dim; d++) {
      uint32_t bits;
      memcpy(&bits, value + d, sizeof bits);
      found |= (bits & exponent) == exponent;
    }
    if (found) return false;
  }
  return true;
}

/* Whether the values that some row of the block does not see are finite. Without a mask those are
 * before the last row's first key and behind the first row's last one. */
static bool hidden_are_finite(const Head *x, const Block *block) {
  const KeyRange keys = block->keys;
  if (problem_has_mask(x->problem)) return are_finite(x, keys.begin, keys.end);
  const size_t last = block->first + block->rows - 1;
  const size_t begin = problem_range(x->problem, &x->sequence, last).begin;
  const size_t end = problem_range(x->problem, &x->sequence, block->first).end;
  return are_finite(x, keys.begin, begin) && are_finite(x, size_max(begin, end), keys.end);
}

/* acc = weights V, over the keys that each row sees, one by one. */
static void add_visible(const Head *x, const Block *block) {
  const Problem *const p = x->problem;
  for (size_t r = 0; r < block->rows; r++) {
    const size_t i = block->first + r;
    const KeyRange range = problem_range(p, &x->sequence, i);
    const float *const weights = x->scores + i * x->score_stride;
    float *const acc = x->state.acc + r * x->state.stride;
    for (size_t d = 0; d < x->state.columns; d++) acc[d] = 0.0f;
    for (size_t j = range.begin; j < range.end; j++) {
      if (problem_masked(p, x->sequence.index, x->h, i, j)) continue;
      const float w = weights[j - block->keys.begin], *const value = value_row(x, j);
      for (size_t d = 0; d < x->state.columns; d++) acc[d] += w * value[d];
    }
  }
}

/* acc = weights V for a block. */
static void weighted_sum(const Head *x, const Block *block) {
  const size_t keys = block->keys.end - block->keys.begin, Dv = x->state.columns;
  const float *const weights = x->scores + block->first * x->score_stride;
  if (keys == 0 || !hidden_are_finite(x, block)) {
    add_visible(x, block);
    return;
  }
  const float *const value = value_row(x, block->keys.begin);
  if (block->rows == 1) {
    blas_gemv(keys, Dv, 1.0f, value, x->value_stride, true, weights, 1, x->state.acc, 1);
  } else {
    blas_gemm(block->rows, Dv, keys, 1.0f, weights, x->score_stride, value, x->value_stride, false,
              0.0f, x->state.acc, x->state.stride);
  }
}

/* O = acc / l, with the sink in l, and the LSE. */
static void finish(const Head *x, const Block *block) {
  const Problem *const p = x->problem;
  for (size_t r = 0; r < block->rows; r++) {
    const size_t i = block->first + r;
    float *const lse = problem_lse(&x->sequence, i, x->h);
    if (p->options.sinks) online_add_logit(x->kernels, x->state, r, score_mod_sink(p, x->h));
    online_finish(x->state, r, problem_out(p, &x->sequence, i, x->h));
    if (lse) *lse = online_lse(x->state, r);
  }
}

void blas_head_run(AttendContext *context, const Problem *p, const BlasScratch *s, size_t b,
                   size_t h, size_t thread, char *mine) {
  Profiler *const profiler = &context->profiler;
  Head x = {.kernels = context->kernels,
            .problem = p,
            .sequence = problem_sequence(p, b),
            .h = h,
            .g = h / p->group,
            .scores = layout_at(mine, s->scores),
            .score_stride = s->score_stride,
            .state = {.max = layout_at(mine, s->max),
                      .sum = layout_at(mine, s->sum),
                      .acc = layout_at(mine, s->context),
                      .columns = p->shape.value_dim,
                      .stride = p->shape.value_dim}};
  const size_t Nq = x.sequence.query_tokens;
  if (Nq == 0) return;

  double clock = profile_start(profiler);
  find_keys(&x, layout_at(mine, s->key), layout_at(mine, s->value));
  if (p->has_cache) clock = profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
  for (size_t i = 0; i < Nq; i += BLAS_BLOCK_ROWS) {
    const Block block = block_at(&x, i);
    score(&x, &block);
    if (score_mod_needed(p)) score_mod(&x, &block);
  }
  clock = profile_add(profiler, thread, ATTEND_PHASE_SCORES, clock);
  for (size_t i = 0; i < Nq; i += BLAS_BLOCK_ROWS) {
    const Block block = block_at(&x, i);
    softmax(&x, &block);
    clock = profile_add(profiler, thread, ATTEND_PHASE_SOFTMAX, clock);
    weighted_sum(&x, &block);
    finish(&x, &block);
    clock = profile_add(profiler, thread, ATTEND_PHASE_WEIGHTED_SUM, clock);
  }
}
