/* path_naive.c - the naive path around its formula: memory, threads over heads, taps.
 *
 * naive.c computes one head of one sequence. Here every thread gets the memory of a head, takes one
 * head after the other, and shows its matrices to a tap. The path refuses problems whose score
 * matrices do not fit the context's limit, and precisions other than fp32.
 */
#include "paths/path_naive.h"

#include <stdio.h>

#include "layer/project.h"
#include "paths/naive.h"
#include "plan/path.h"
#include "platform/parallel.h"
#include "size.h"

/* Hands every matrix of the head to the tap; of score matrices only the rows that it asks for. Keys
 * and values carry the number of their kv head, and are shown again with each query head that reads
 * them. */
static void show(const AttendContext *context, const NaiveHead *x) {
  const size_t b = x->sequence.index, h = x->h, g = x->g;
  const size_t Nq = x->Nq, Nk = x->Nk, D = x->D, Dv = x->Dv;
  const TapRows rows = context_tap_rows(context, Nq);
  const size_t first = rows.first, count = rows.count, at = first * Nk;
  const bool capped = x->problem->options.softcap > 0.0f;
  const AttendMatrix matrices[] = {
      {"query", b, h, 0, Nq, D, D, x->query},
      {"key", b, g, 0, Nk, D, D, x->key},
      {"value", b, g, 0, Nk, Dv, Dv, x->value},
      {"scores", b, h, first, count, Nk, Nk, x->scores + at},
      {capped ? "capped_scores" : NULL, b, h, first, count, Nk, Nk, x->capped_scores + at},
      {"masked_scores", b, h, first, count, Nk, Nk, x->masked_scores + at},
      {"weights", b, h, first, count, Nk, Nk, x->weights + at},
      {"context", b, h, 0, Nq, Dv, Dv, x->context},
  };
  for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++) {
    if (matrices[m].name) context->tap(context->tap_user, &matrices[m]);
  }
}

/* How many Nq x Nk matrices a thread holds. */
static size_t score_matrices(const Problem *p) {
  return p->options.softcap > 0.0f ? 4 : 3;
}

/* Lays out one thread's matrices for the longest sequence. Points x's matrices into `base` unless it
 * is null. */
static Layout place(const Problem *p, const NaiveFit *fit, void *base, NaiveHead *x) {
  const size_t Nq = fit->longest.query_tokens, Nk = fit->longest.key_tokens;
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim;
  const bool capped = fit->matrices > 3;
  const struct {
    float **matrix;
    size_t rows, columns;
  } parts[] = {
      {&x->query, Nq, D},
      {&x->key, Nk, D},
      {&x->value, Nk, Dv},
      {&x->scores, Nq, Nk},
      {&x->masked_scores, Nq, Nk},
      {&x->weights, Nq, Nk},
      {&x->sums, Nq, 1},
      {&x->context, Nq, Dv},
      {&x->capped_scores, capped ? Nq : 0, Nk},
  };
  Layout layout = {0};
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
    const size_t at = layout_floats(&layout, parts[k].rows, parts[k].columns);
    if (base) *parts[k].matrix = layout_at(base, at);
  }
  if (!capped) x->capped_scores = x->scores;
  return layout;
}

/* How many heads run at the same time. A tap gets heads in order, so with a tap it is one. */
static size_t threads_over_heads(const AttendContext *context, const Problem *p) {
  const bool alone = !context->settings.naive_parallel || context->tap;
  return alone ? 1 : size_min(context->settings.threads, p->shape.batch * p->shape.query_heads);
}

static void fits(const AttendContext *context, const Problem *p, PathFit *fit) {
  NaiveFit *const naive = &fit->naive;
  NaiveHead unplaced = {0};
  *naive = (NaiveFit){.threads = threads_over_heads(context, p),
                      .matrices = score_matrices(p),
                      .longest = problem_longest(p)};
  const Layout layout = place(p, naive, NULL, &unplaced);
  bool overflow = layout.overflow;
  naive->thread_bytes = layout.bytes;
  const size_t cells =
      size_multiply(naive->longest.query_tokens, naive->longest.key_tokens, &overflow);
  const size_t cell_bytes =
      size_multiply(naive->matrices * sizeof(float), naive->threads, &overflow);
  fit->workspace_bytes = size_multiply(layout.bytes, naive->threads, &overflow);
  fit->score_bytes = size_multiply(cells, cell_bytes, &overflow);
  fit->query_tile = fit->key_tile = 0;
  if (overflow) {
    fit->refusal = PATH_NOT_COUNTABLE;
  } else if (context->settings.precision != ATTEND_PRECISION_FP32) {
    fit->refusal = PATH_OTHER_PRECISION;
  } else if (fit->score_bytes > context->settings.score_memory_limit_bytes) {
    fit->refusal = PATH_OVER_SCORE_LIMIT;
  } else {
    fit->refusal = PATH_FITS;
  }
}

static void explain(const AttendContext *context, const Problem *p, const PathFit *fit,
                    char text[ATTEND_REASON_SIZE]) {
  const NaiveFit *const naive = &fit->naive;
  const size_t Nq = naive->longest.query_tokens, Nk = naive->longest.key_tokens;
  (void)p;
  switch (fit->refusal) {
  case PATH_NOT_COUNTABLE:
    snprintf(text, ATTEND_REASON_SIZE,
             "its %zu matrices of %zu x %zu a thread cannot be counted in bytes", naive->matrices,
             Nq, Nk);
    return;
  case PATH_OTHER_PRECISION:
    snprintf(text, ATTEND_REASON_SIZE, "its loops are in fp32; precision %s is for the tiled path",
             attend_precision_name(context->settings.precision));
    return;
  case PATH_OVER_SCORE_LIMIT:
    snprintf(text, ATTEND_REASON_SIZE,
             "its %zu matrices of %zu x %zu on %zu thread(s) need %zu bytes; "
             "score_memory_limit_bytes is %zu",
             naive->matrices, Nq, Nk, naive->threads, fit->score_bytes,
             context->settings.score_memory_limit_bytes);
    return;
  default:
    snprintf(text, ATTEND_REASON_SIZE, "plain loops, %zu thread(s) over heads, %zu bytes of scores",
             naive->threads, fit->score_bytes);
  }
}

typedef struct Job {
  AttendContext *context;
  const Problem *problem;
  const NaiveFit *fit;
  char *workspace;
} Job;

static void run_head(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const size_t b = index / p->shape.query_heads, h = index % p->shape.query_heads;
  const Sequence sequence = problem_sequence(p, b);
  NaiveHead x = {.Nq = sequence.query_tokens,
                 .Nk = sequence.key_tokens,
                 .D = p->shape.head_dim,
                 .Dv = p->shape.value_dim,
                 .h = h,
                 .g = h / p->group,
                 .problem = p,
                 .sequence = sequence,
                 .profiler = profiler,
                 .thread = thread,
                 .clock = profile_start(profiler)};
  place(p, job->fit, job->workspace + thread * job->fit->thread_bytes, &x);
  naive_attention(&x);
  if (job->context->tap) show(job->context, &x);
}

static void run(AttendContext *context, const Problem *p, const PathFit *fit, void *workspace) {
  Job job = {context, p, &fit->naive, workspace};
  const size_t heads = p->shape.batch * p->shape.query_heads;
  profile_gather(&context->profiler, parallel_for(fit->naive.threads, heads, run_head, &job));
}

const Path PATH_RECORD(naive) = {
    .id = ATTEND_PATH_NAIVE,
    .nature = "plain loops over every pair",
    .fits = fits,
    .explain = explain,
    .run = run,
    .count = work_count_score_matrices,
    .project = project_plainly,
};
