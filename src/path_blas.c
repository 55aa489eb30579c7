/* path_blas.c - a head's whole score matrix, by two products of the BLAS.
 *
 *   S = scale * Q K^T   [Nq, Nk]   cblas_sgemm, in blocks of rows
 *   P = exp2(S - m)                softmax kernel, row by row, in place
 *   O = P V / l         [Nq, Dv]   cblas_sgemm, in the same blocks
 *
 * Keys above the diagonal are left out in blocks: a block of BLOCK_ROWS rows multiplies only the
 * keys that its last row sees. What remains hidden inside the block gets weight 0, and because
 * 0 * NaN would be NaN, values there are looked at first: if one is not finite, the block's ragged
 * end is added in plain loops over visible keys.
 *
 * Threads go over heads and each product runs on one thread, as long as there are as many heads as
 * threads; otherwise heads run in turn and the BLAS has the threads. Measured on 2 cores (Zen 4,
 * OpenBLAS 0.3.21, causal core): over heads is faster by 1.19 (LLaMA-7B, N = 2048), 1.21
 * (Qwen2.5-0.5B, 2048), 1.28 (LLaMA-7B, 512) and 1.52 (Qwen2.5-0.5B, 512), because a block's
 * product is too small to be split and the softmax between two products would run on one thread.
 *
 * The same bits for the same row are not promised here: OpenBLAS picks kernels by shape.
 */
#include <math.h>

#include "blas.h"
#include "parallel.h"
#include "path.h"
#include "project.h"
#include "shape.h"
#include "size.h"

#define BLOCK_ROWS 128
#define LOG2_E 1.44269504088896340736f
#define LN_2 0.693147180559945309417f

/* One thread's scratch. Score rows are padded to whole panels for the softmax kernel. */
typedef struct Scratch {
  size_t score_stride, context_stride;
  size_t scores, context; /* offsets in bytes */
  size_t bytes;
  bool overflow;
} Scratch;

static Scratch scratch_layout(const AttendContext *context, const Problem *p) {
  Layout layout = {0};
  Scratch scratch = {.score_stride = size_round_up(p->shape.key_tokens, context->kernels->panel),
                     .context_stride = p->shape.value_dim};
  scratch.scores = layout_floats(&layout, p->shape.query_tokens, scratch.score_stride);
  scratch.context = layout_floats(&layout, BLOCK_ROWS, scratch.context_stride);
  scratch.bytes = layout.bytes;
  scratch.overflow = layout.overflow;
  return scratch;
}

/* Heads that run at the same time; 1 leaves the threads to the BLAS. */
static size_t threads_over_heads(const AttendContext *context, const Problem *p) {
  const size_t heads = p->shape.batch * p->shape.query_heads;
  return heads >= context->settings.threads ? context->settings.threads : 1;
}

static AttendStatus consider(const AttendContext *context, const Problem *p, PathNeeds *needs,
                             Fault *reason) {
  const size_t threads = threads_over_heads(context, p);
  const size_t limit = context->settings.score_memory_limit_bytes;
  Scratch scratch = scratch_layout(context, p);
  *needs =
      (PathNeeds){.workspace_bytes = size_multiply(scratch.bytes, threads, &scratch.overflow),
                  .score_bytes = size_multiply(
                      size_multiply(p->shape.query_tokens, scratch.score_stride, &scratch.overflow),
                      size_multiply(sizeof(float), threads, &scratch.overflow), &scratch.overflow)};
  if (scratch.overflow) {
    return fault_set(reason, ATTEND_STATUS_OVERFLOW,
                     "%zu score matrices of %zu x %zu cannot be counted in bytes", threads,
                     p->shape.query_tokens, p->shape.key_tokens);
  }
  const size_t counted[] = {p->query.token_stride, p->key.token_stride, p->value.token_stride,
                            scratch.score_stride,  p->shape.head_dim,   p->shape.value_dim};
  for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
    if (counted[i] > SHAPE_BLAS_LIMIT) {
      return fault_set(reason, ATTEND_STATUS_PATH_REFUSED,
                       "a size or stride of %zu is beyond the %zu that the BLAS counts to",
                       counted[i], SHAPE_BLAS_LIMIT);
    }
  }
  /* Operands whose rows overlap (stride 0 repeats one) are no matrices to the BLAS. A plan has no
   * views yet and assumes the usual ones. */
  if (p->key.data &&
      (p->query.token_stride < p->shape.head_dim || p->key.token_stride < p->shape.head_dim ||
       p->value.token_stride < p->shape.value_dim)) {
    return fault_set(
        reason, ATTEND_STATUS_PATH_REFUSED,
        "the BLAS needs token strides of at least D = %zu and Dv = %zu; here query %zu, "
        "key %zu, value %zu",
        p->shape.head_dim, p->shape.value_dim, p->query.token_stride, p->key.token_stride,
        p->value.token_stride);
  }
  if (needs->score_bytes > limit) {
    return fault_set(reason, ATTEND_STATUS_MEMORY_LIMIT,
                     "score matrices of %zu x %zu, rows padded to %zu, need %zu bytes on %zu "
                     "thread(s); score_memory_limit_bytes is %zu",
                     p->shape.query_tokens, p->shape.key_tokens, scratch.score_stride,
                     needs->score_bytes, threads, limit);
  }
  fault_set(reason, ATTEND_OK, "%s, %zu bytes of scores",
            threads > 1 || context->settings.threads == 1
                ? "threads over heads (1.2 to 1.5 times as fast as threads in the BLAS)"
                : "fewer heads than threads: heads in turn, threads inside the BLAS",
            needs->score_bytes);
  return ATTEND_OK;
}

typedef struct Job {
  AttendContext *context;
  const Problem *problem;
  Scratch scratch;
  void *workspace;
} Job;

/* Keys seen by the last row of the block that starts at row i. */
static size_t block_keys(const Problem *p, size_t i, size_t rows) {
  return problem_visible(p, i + rows - 1);
}

/* S = scale * log2(e) * Q K^T, by blocks of rows, each as wide as its last row sees. */
static void score(const Problem *p, size_t b, size_t h, float *scores, size_t stride) {
  const float scale = p->scale * LOG2_E;
  for (size_t i = 0; i < p->shape.query_tokens; i += BLOCK_ROWS) {
    const size_t rows = size_min(BLOCK_ROWS, p->shape.query_tokens - i);
    const size_t keys = block_keys(p, i, rows);
    const float *const query = problem_query(p, b, i, h);
    if (keys == 0) continue;
    const float *const key = problem_key(p, b, 0, h / p->group);
    if (rows == 1) {
      blas_gemv(keys, p->shape.head_dim, scale, key, p->key.token_stride, false, query, 1,
                scores + i * stride, 1);
    } else {
      blas_gemm(rows, keys, p->shape.head_dim, scale, query, p->query.token_stride, key,
                p->key.token_stride, true, 0.0f, scores + i * stride, stride);
    }
  }
}

/* Rows of S become weights, not yet divided by their sum, which goes into sums[]. */
static void softmax(const Kernels *kernels, const Problem *p, size_t b, size_t h, size_t i,
                    size_t rows, float *scores, size_t stride, float *sums) {
  const size_t width = size_round_up(block_keys(p, i, rows), kernels->panel);
  for (size_t r = 0; r < rows; r++) {
    const size_t visible = problem_visible(p, i + r);
    float m = -INFINITY, rescale = 0.0f;
    sums[r] = 0.0f;
    kernels->softmax_ragged(1, width, &visible, scores + r * stride, stride, &m, &sums[r],
                            &rescale);
    float *const lse = problem_lse(p, b, i + r, h);
    if (lse) *lse = sums[r] == 0.0f ? -INFINITY : (m + log2f(sums[r])) * LN_2;
  }
}

static bool is_finite(const Problem *p, size_t b, size_t g, size_t from, size_t to) {
  float zero = 0.0f;
  for (size_t j = from; j < to; j++) {
    const float *const value = problem_value(p, b, j, g);
    for (size_t d = 0; d < p->shape.value_dim; d++) zero += 0.0f * value[d];
  }
  return zero == 0.0f;
}

/* sum[r] += weights V over the keys from `from` on that row i + r sees, one by one. */
static void add_ragged_end(const Problem *p, size_t b, size_t g, size_t i, size_t rows, size_t from,
                           const float *weights, size_t stride, float *sum, size_t sum_stride) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t j = from; j < problem_visible(p, i + r); j++) {
      const float *const value = problem_value(p, b, j, g);
      for (size_t d = 0; d < p->shape.value_dim; d++) {
        sum[r * sum_stride + d] += weights[r * stride + j] * value[d];
      }
    }
  }
}

/* O = P V / l for a block of rows, into the output. */
static void weigh(const Problem *p, size_t b, size_t h, size_t i, size_t rows, const float *weights,
                  size_t stride, const float *sums, float *sum, size_t sum_stride) {
  const size_t g = h / p->group, Dv = p->shape.value_dim;
  const size_t all = block_keys(p, i, rows), common = problem_visible(p, i);
  const bool whole = is_finite(p, b, g, common, all);
  const size_t keys = whole ? all : common;
  const float *const value = keys > 0 ? problem_value(p, b, 0, g) : NULL;
  if (keys == 0) {
    for (size_t e = 0; e < rows * sum_stride; e++) sum[e] = 0.0f;
  } else if (rows == 1) {
    blas_gemv(keys, Dv, 1.0f, value, p->value.token_stride, true, weights, 1, sum, 1);
  } else {
    blas_gemm(rows, Dv, keys, 1.0f, weights, stride, value, p->value.token_stride, false, 0.0f, sum,
              sum_stride);
  }
  if (!whole) add_ragged_end(p, b, g, i, rows, common, weights, stride, sum, sum_stride);
  for (size_t r = 0; r < rows; r++) {
    float *const out = problem_out(p, b, i + r, h);
    const float inverse = sums[r] == 0.0f ? 0.0f : 1.0f / sums[r];
    for (size_t d = 0; d < Dv; d++) {
      out[d] = sums[r] == 0.0f ? 0.0f : sum[r * sum_stride + d] * inverse;
    }
  }
}

static void run_head(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  const Scratch *const s = &job->scratch;
  Profiler *const profiler = &job->context->profiler;
  const size_t b = index / p->shape.query_heads, h = index % p->shape.query_heads;
  char *const mine = (char *)job->workspace + thread * s->bytes;
  float *const scores = layout_at(mine, s->scores), *const sum = layout_at(mine, s->context);

  double clock = profile_start(profiler);
  score(p, b, h, scores, s->score_stride);
  clock = profile_add(profiler, thread, ATTEND_PHASE_SCORES, clock);
  for (size_t i = 0; i < p->shape.query_tokens; i += BLOCK_ROWS) {
    const size_t rows = size_min(BLOCK_ROWS, p->shape.query_tokens - i);
    float *const block = scores + i * s->score_stride;
    float sums[BLOCK_ROWS];
    softmax(job->context->kernels, p, b, h, i, rows, block, s->score_stride, sums);
    clock = profile_add(profiler, thread, ATTEND_PHASE_SOFTMAX, clock);
    weigh(p, b, h, i, rows, block, s->score_stride, sums, sum, s->context_stride);
    clock = profile_add(profiler, thread, ATTEND_PHASE_WEIGHTED_SUM, clock);
  }
}

static size_t run(AttendContext *context, const Problem *p, void *workspace) {
  Job job = {context, p, scratch_layout(context, p), workspace};
  const size_t over_heads = parallel_allowed(threads_over_heads(context, p));
  const size_t inside = over_heads > 1 ? 1 : parallel_allowed(context->settings.threads);
  BlasScope scope;
  blas_begin(&scope, inside);
  parallel_for(over_heads, p->shape.batch * p->shape.query_heads, run_head, &job);
  blas_end(&scope);
  return over_heads;
}

const Path path_blas = {
    .id = ATTEND_PATH_BLAS,
    .nature = "whole score matrix of a head by cblas_sgemm",
    .consider = consider,
    .run = run,
    .project = project_rows,
};
