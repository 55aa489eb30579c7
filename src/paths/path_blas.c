/* path_blas.c - a head's whole score matrix, by two products of the BLAS.
 *
 *   S = scale * Q K^T   [Nq, Nk]   cblas_sgemm, in blocks of rows
 *   P = exp2(S - m)                adjust and softmax kernels, row by row, in place
 *   O = P V / l         [Nq, Dv]   cblas_sgemm, in the same blocks
 *
 * What is hidden is left out in blocks: a block of BLOCK_ROWS rows multiplies only the keys between
 * the first that its first row may see and the last that its last row may see, and its scores begin
 * with the former. What remains hidden inside the block gets weight 0, and because 0 * NaN would be
 * NaN, values there are looked at first: if one is not finite, the block adds visible values one by
 * one. Keys and values of a cache are gathered row-major first, once for each query head.
 *
 * Threads go over heads and each product runs on one thread, as long as there are as many heads as
 * threads; otherwise heads run in turn and the BLAS has the threads. Measured on 2 cores (Zen 4,
 * OpenBLAS 0.3.21, causal core): over heads is faster by 1.19 (LLaMA-7B, N = 2048), 1.21
 * (Qwen2.5-0.5B, 2048), 1.28 (LLaMA-7B, 512) and 1.52 (Qwen2.5-0.5B, 512), because a block's
 * product is too small to be split and the softmax between two products would run on one thread.
 *
 * The same bits for the same row are not promised here: OpenBLAS picks kernels by shape.
 */
#include "layer/project.h"
#include "paths/adjustment.h"
#include "paths/online.h"
#include "paths/show_scores.h"
#include "plan/path.h"
#include "platform/blas.h"
#include "platform/parallel.h"
#include "problem/shape.h"
#include "size.h"

#define BLOCK_ROWS 128
#define LOG2_E 1.44269504088896340736f

/* The most keys that some row of `rows` successive ones may see. */
static size_t widest(const Problem *p, size_t rows, size_t keys) {
  const int64_t left = p->options.window_left;
  const int64_t right = p->options.causal ? 0 : p->options.window_right;
  if (left < 0 || right < 0) return keys;
  return problem_clip(problem_shift(problem_shift(left, right), (int64_t)rows), keys);
}

static BlasScratch scratch_layout(const Problem *p) {
  const LongestSequence longest = problem_longest(p);
  const size_t rows = longest.query_tokens, D = p->shape.head_dim, Dv = p->shape.value_dim;
  const size_t columns = widest(p, size_min(rows, BLOCK_ROWS), longest.key_tokens);
  Layout layout = {0};
  BlasScratch scratch = {.rows = rows,
                         .score_stride = size_round_up(columns, KERNEL_PANEL),
                         .gathered = p->has_cache ? widest(p, rows, longest.key_tokens) : 0};
  scratch.scores = layout_floats(&layout, rows, scratch.score_stride);
  scratch.context = layout_floats(&layout, BLOCK_ROWS, Dv);
  scratch.max = layout_floats(&layout, BLOCK_ROWS, 1);
  scratch.sum = layout_floats(&layout, BLOCK_ROWS, 1);
  scratch.key = layout_floats(&layout, scratch.gathered, D);
  scratch.value = layout_floats(&layout, scratch.gathered, Dv);
  scratch.bytes = layout.bytes;
  scratch.overflow = layout.overflow;
  return scratch;
}

/* Heads that run at the same time; 1 leaves the threads to the BLAS. */
static size_t threads_over_heads(const AttendContext *context, const Problem *p) {
  const size_t heads = p->shape.batch * p->shape.query_heads;
  return heads >= context->settings.threads ? context->settings.threads : 1;
}

/* Bytes for all threads, or for what a tap wants to see afterwards, if that is more. */
static void measure(const AttendContext *context, const Problem *p, PathFit *fit) {
  BlasScratch *const scratch = &fit->blas.scratch;
  bool *const overflow = &scratch->overflow;
  const ShowNeeds show = show_scores_needs(context, p);
  const size_t cells = size_multiply(scratch->rows, scratch->score_stride, overflow);
  const size_t scores = size_multiply(cells, sizeof(float), overflow);
  const size_t all = size_multiply(scratch->bytes, fit->blas.threads, overflow);
  const size_t all_scores = size_multiply(scores, fit->blas.threads, overflow);
  if (show.overflow) *overflow = true;
  fit->workspace_bytes = size_max(all, show.bytes);
  fit->score_bytes = size_max(all_scores, show.score_bytes);
}

/* Token strides of the operands. A plan has no views yet and assumes the usual ones. */
typedef struct Strides {
  size_t query, key, value;
} Strides;

static Strides strides_of(const Problem *p) {
  return (Strides){p->query.data ? p->query.token_stride : p->shape.head_dim,
                   p->key.data ? p->key.token_stride : p->shape.head_dim,
                   p->value.data ? p->value.token_stride : p->shape.value_dim};
}

/* A size or stride that the integers of the BLAS cannot count, or 0. */
static size_t beyond_blas(const Problem *p, const BlasScratch *scratch) {
  const Strides strides = strides_of(p);
  const size_t counts[] = {strides.query,         strides.key,       strides.value,
                           scratch->score_stride, p->shape.head_dim, p->shape.value_dim};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (counts[i] > SHAPE_BLAS_LIMIT) return counts[i];
  }
  return 0;
}

/* Whether rows of an operand lie in one another (stride 0 repeats one), which makes it no matrix to
 * the BLAS. */
static bool rows_overlap(const Problem *p) {
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim;
  const Strides strides = strides_of(p);
  return strides.query < D || strides.key < D || strides.value < Dv;
}

static PathRefusal refusal_of(const AttendContext *context, const Problem *p, const PathFit *fit) {
  if (fit->blas.scratch.overflow) return PATH_NOT_COUNTABLE;
  if (p->options.normalization != ATTEND_NORMALIZE_SOFTMAX) return PATH_OTHER_NORMALIZATION;
  if (context->settings.precision != ATTEND_PRECISION_FP32) return PATH_OTHER_PRECISION;
  if (beyond_blas(p, &fit->blas.scratch)) return PATH_BEYOND_BLAS;
  if (rows_overlap(p)) return PATH_ROWS_OVERLAP;
  if (fit->score_bytes > context->settings.score_memory_limit_bytes) return PATH_OVER_SCORE_LIMIT;
  return PATH_FITS;
}

static void fits(const AttendContext *context, const Problem *p, PathFit *fit) {
  fit->query_tile = fit->key_tile = 0;
  fit->blas = (BlasFit){scratch_layout(p), threads_over_heads(context, p)};
  measure(context, p, fit);
  fit->refusal = refusal_of(context, p, fit);
}

static void explain_refusal(const AttendContext *context, const Problem *p, const PathFit *fit,
                            char text[ATTEND_REASON_SIZE]) {
  const BlasScratch *const scratch = &fit->blas.scratch;
  const Strides strides = strides_of(p);
  switch (fit->refusal) {
  case PATH_NOT_COUNTABLE:
    snprintf(text, ATTEND_REASON_SIZE, "%zu score matrices of %zu x %zu cannot be counted in bytes",
             fit->blas.threads, scratch->rows, scratch->score_stride);
    return;
  case PATH_OTHER_NORMALIZATION:
    snprintf(text, ATTEND_REASON_SIZE,
             "its weights are a softmax; scores divided by their sum "
             "(ATTEND_NORMALIZE_SUM) are for the naive path");
    return;
  case PATH_OTHER_PRECISION:
    snprintf(text, ATTEND_REASON_SIZE,
             "its products are those of the BLAS, in fp32; precision %s is for the tiled path",
             attend_precision_name(context->settings.precision));
    return;
  case PATH_BEYOND_BLAS:
    snprintf(text, ATTEND_REASON_SIZE,
             "a size or stride of %zu is beyond the %zu that the BLAS counts to",
             beyond_blas(p, scratch), SHAPE_BLAS_LIMIT);
    return;
  case PATH_ROWS_OVERLAP:
    snprintf(text, ATTEND_REASON_SIZE,
             "the BLAS needs token strides of at least D = %zu and Dv = %zu; here query %zu, "
             "key %zu, value %zu",
             p->shape.head_dim, p->shape.value_dim, strides.query, strides.key, strides.value);
    return;
  case PATH_OVER_SCORE_LIMIT:
    snprintf(text, ATTEND_REASON_SIZE,
             "score matrices of %zu x %zu (rows are padded to %d) need %zu bytes on %zu thread(s); "
             "score_memory_limit_bytes is %zu",
             scratch->rows, scratch->score_stride, KERNEL_PANEL, fit->score_bytes,
             fit->blas.threads, context->settings.score_memory_limit_bytes);
    return;
  case PATH_FITS:
    break;
  }
}

static void explain(const AttendContext *context, const Problem *p, const PathFit *fit,
                    char text[ATTEND_REASON_SIZE]) {
  if (fit->refusal) {
    explain_refusal(context, p, fit, text);
    return;
  }
  snprintf(text, ATTEND_REASON_SIZE, "%s%s, %zu bytes of scores",
           fit->blas.threads > 1 || context->settings.threads == 1
               ? "threads over heads (1.2 to 1.5 times as fast as threads in the BLAS)"
               : "fewer heads than threads: heads in turn, threads inside the BLAS",
           p->has_cache ? ", K and V gathered out of the cache for each head" : "",
           fit->score_bytes);
}

typedef struct Job {
  AttendContext *context;
  const Problem *problem;
  const BlasScratch *scratch;
  void *workspace;
} Job;

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
  const size_t rows = size_min(BLOCK_ROWS, x->sequence.query_tokens - first);
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
    const KernelScoreMod how = adjustment_of(x->problem, &x->sequence, x->h, i, begin);
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
    if (p->options.sinks) online_add_logit(x->kernels, x->state, r, adjustment_sink(p, x->h));
    online_finish(x->state, r, problem_out(p, &x->sequence, i, x->h));
    if (lse) *lse = online_lse(x->state, r);
  }
}

static void run_head(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  const BlasScratch *const s = job->scratch;
  Profiler *const profiler = &job->context->profiler;
  char *const mine = (char *)job->workspace + thread * s->bytes;
  const size_t b = index / p->shape.query_heads, h = index % p->shape.query_heads;
  Head x = {.kernels = job->context->kernels,
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
  for (size_t i = 0; i < Nq; i += BLOCK_ROWS) {
    const Block block = block_at(&x, i);
    score(&x, &block);
    if (adjustment_is_needed(p)) score_mod(&x, &block);
  }
  clock = profile_add(profiler, thread, ATTEND_PHASE_SCORES, clock);
  for (size_t i = 0; i < Nq; i += BLOCK_ROWS) {
    const Block block = block_at(&x, i);
    softmax(&x, &block);
    clock = profile_add(profiler, thread, ATTEND_PHASE_SOFTMAX, clock);
    weighted_sum(&x, &block);
    finish(&x, &block);
    clock = profile_add(profiler, thread, ATTEND_PHASE_WEIGHTED_SUM, clock);
  }
}

static void run(AttendContext *context, const Problem *p, const PathFit *fit, void *workspace) {
  Job job = {context, p, &fit->blas.scratch, workspace};
  const size_t over_heads = parallel_allowed(fit->blas.threads);
  const size_t inside = over_heads > 1 ? 1 : parallel_allowed(context->settings.threads);
  BlasScope scope;
  blas_begin(&scope, inside);
  const size_t threads =
      parallel_for(over_heads, p->shape.batch * p->shape.query_heads, run_head, &job);
  blas_end(&scope);
  profile_gather(&context->profiler, threads);
  show_scores(context, p, SHOW_BY_BLAS, workspace);
}

const Path path_blas = {
    .id = ATTEND_PATH_BLAS,
    .nature = "whole score matrix of a head by cblas_sgemm",
    .fits = fits,
    .explain = explain,
    .run = run,
    .count = work_count_score_matrices,
    .project_bytes = project_bytes,
    .project = project_rows,
};
