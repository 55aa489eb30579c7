/* path_blas.c - whole score matrices by the BLAS: who computes which head, and in what memory.
 *
 * Threads go over heads and each product runs on one thread, as long as there are as many heads as
 * threads; otherwise heads run in turn and the BLAS has the threads. Measured on 2 cores (Zen 4,
 * OpenBLAS 0.3.21, causal core): over heads is faster by 1.19 (LLaMA-7B, N = 2048), 1.21
 * (Qwen2.5-0.5B, 2048), 1.28 (LLaMA-7B, 512) and 1.52 (Qwen2.5-0.5B, 512), because a block's
 * product is too small to be split and the softmax between two products would run on one thread.
 *
 * The same bits for the same row are not promised here: OpenBLAS picks kernels by shape.
 */
#include <stdio.h>

#include "layer/project.h"
#include "paths/blas_head.h"
#include "paths/show_scores.h"
#include "plan/path.h"
#include "platform/blas.h"
#include "platform/parallel.h"
#include "problem/shape.h"
#include "size.h"

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
  const size_t columns = widest(p, size_min(rows, BLAS_BLOCK_ROWS), longest.key_tokens);
  Layout layout = {0};
  BlasScratch scratch = {.rows = rows,
                         .score_stride = size_round_up(columns, KERNEL_PANEL),
                         .gathered = p->has_cache ? widest(p, rows, longest.key_tokens) : 0};
  scratch.scores = layout_floats(&layout, rows, scratch.score_stride);
  scratch.context = layout_floats(&layout, BLAS_BLOCK_ROWS, Dv);
  scratch.max = layout_floats(&layout, BLAS_BLOCK_ROWS, 1);
  scratch.sum = layout_floats(&layout, BLAS_BLOCK_ROWS, 1);
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

/* Whether rows of an operand share elements (stride 0 repeats one row). The BLAS wants matrices. */
static bool rows_overlap(const Problem *p) {
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim;
  const Strides strides = strides_of(p);
  return strides.query < D || strides.key < D || strides.value < Dv;
}

static PathRefusal refusal_of(const AttendContext *context, const Problem *p, const PathFit *fit) {
  if (fit->blas.scratch.overflow) return PATH_NOT_COUNTABLE;
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

static void run_head(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const size_t heads = job->problem->shape.query_heads;
  blas_head_run(job->context, job->problem, job->scratch, index / heads, index % heads, thread,
                (char *)job->workspace + thread * job->scratch->bytes);
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

const Path PATH_RECORD(blas) = {
    .id = ATTEND_PATH_BLAS,
    .nature = "whole score matrix of a head by cblas_sgemm",
    .fits = fits,
    .explain = explain,
    .run = run,
    .count = work_count_score_matrices,
    .project_bytes = project_bytes,
    .project = project_rows,
};
