/* path_naive.c - attention as the formula says it, in plain loops.
 *
 *     context = softmax(mask(cap(scale * Q K^T))) V      for every sequence and every head
 *
 * Each numbered pass below is one step of that formula, and each of its matrices is really formed.
 * Letters: Nq query tokens, Nk key tokens, D head dimension of Q and K, Dv of V. Query head h reads
 * key/value head g = h / (Hq / Hk). Everything is row-major.
 *
 * This path is kept plain on purpose. It uses no BLAS and no intrinsics, it multiplies every pair
 * before the mask hides some of them, and it takes memory for three Nq x Nk matrices a thread, four
 * with a softcap. It is what the other paths are compared with.
 */
#include "paths/path_naive.h"

#include <math.h>

#include "layer/project.h"
#include "plan/path.h"
#include "platform/parallel.h"
#include "size.h"

/* One head of one sequence: its sizes, and its matrices in the order in which they arise. */
typedef struct Head {
  const Problem *problem;
  Sequence sequence;
  size_t h, g; /* query head, and the key/value head that it reads */
  size_t Nq, Nk, D, Dv;
  float *query;         /* [Nq, D]  */
  float *key;           /* [Nk, D]  */
  float *value;         /* [Nk, Dv] */
  float *scores;        /* [Nq, Nk] */
  float *capped_scores; /* [Nq, Nk]; the scores themselves if there is no softcap */
  float *masked_scores; /* [Nq, Nk] */
  float *weights;       /* [Nq, Nk] */
  float *sums;          /* [Nq], what the weights of each row were divided by */
  float *context;       /* [Nq, Dv] */
} Head;

/* Pass 1. Q, K and V of this head, out of the activations of all heads or out of the cache. A cache
 * that is a ring has dropped its oldest tokens. No row sees them; zeros stand in their place. */
static void gather(Head *x) {
  const Problem *const p = x->problem;
  const size_t first_kept = p->cache ? attend_cache_first(p->cache, x->sequence.slot) : 0;
  for (size_t i = 0; i < x->Nq; i++) {
    const float *const q = problem_query(p, &x->sequence, i, x->h);
    for (size_t d = 0; d < x->D; d++) x->query[i * x->D + d] = q[d];
  }
  for (size_t j = 0; j < x->Nk; j++) {
    float *const key = x->key + j * x->D, *const value = x->value + j * x->Dv;
    if (j >= first_kept) {
      problem_copy_key(p, &x->sequence, j, x->g, key);
      problem_copy_value(p, &x->sequence, j, x->g, value);
    } else {
      for (size_t d = 0; d < x->D; d++) key[d] = 0.0f;
      for (size_t d = 0; d < x->Dv; d++) value[d] = 0.0f;
    }
  }
}

/* Pass 2. scores = scale * Q K^T: how well each query matches each key. */
static void score(Head *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    for (size_t j = 0; j < x->Nk; j++) {
      float dot = 0.0f;
      for (size_t d = 0; d < x->D; d++) dot += x->query[i * x->D + d] * x->key[j * x->D + d];
      x->scores[i * x->Nk + j] = x->problem->scale * dot;
    }
  }
}

/* Pass 3. capped_scores = c * tanh(scores / c), c being the softcap: small scores stay as they are,
 * and none gets beyond c. */
static void cap(Head *x) {
  if (x->problem->options.softcap == 0.0f) return;
  for (size_t i = 0; i < x->Nq; i++) {
    naive_cap_row(x->problem, &x->sequence, x->scores + i * x->Nk, x->capped_scores + i * x->Nk);
  }
}

void naive_cap_row(const Problem *p, const Sequence *s, const float *from, float *to) {
  const float c = p->options.softcap;
  for (size_t j = 0; j < s->key_tokens; j++) to[j] = c * tanhf(from[j] / c);
}

/* Pass 4. masked_scores: ALiBi lowers a score by the distance of key and query, the bias adds what
 * the caller wants, and a key that the query must not see gets minus infinity, whatever its score.
 * Causal order, window and length leave a range of keys; mask and bias hide single ones in it. */
static void mask(Head *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    naive_mask_row(x->problem, &x->sequence, x->h, i, x->capped_scores + i * x->Nk,
                   x->masked_scores + i * x->Nk);
  }
}

void naive_mask_row(const Problem *p, const Sequence *s, size_t h, size_t i, const float *from,
                    float *to) {
  const float slope = p->options.alibi_slopes ? p->options.alibi_slopes[h] : 0.0f;
  const float *const bias = problem_bias_row(p, s->index, h, i);
  const int64_t position = problem_position(s, i);
  const KeyRange range = problem_range(p, s, i);
  for (size_t j = 0; j < s->key_tokens; j++) {
    const bool in_range = range.begin <= j && j < range.end;
    if (in_range && !problem_masked(p, s->index, h, i, j)) {
      const float distance = fabsf((float)problem_shift(position, -(int64_t)j));
      to[j] = from[j] - slope * distance;
      if (bias) to[j] += bias[j * p->options.bias.key_stride];
    } else {
      to[j] = -INFINITY;
    }
  }
}

/* Pass 5. weights: the softmax of each row of masked scores. */
static void normalize(Head *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    const NaiveRow row = naive_normalize_row(x->problem, &x->sequence, x->h,
                                             x->masked_scores + i * x->Nk, x->weights + i * x->Nk);
    float *const lse = problem_lse(&x->sequence, i, x->h);
    if (lse) *lse = row.lse;
    x->sums[i] = row.sum;
  }
}

/* Softmax: w_j = exp(s_j - m) / l, where m is the row's largest score and l the sum of exp(s - m).
 * Subtracting m changes nothing in the quotient and keeps exp from overflowing. The sink is one
 * more score of the row: it takes its share of the weight and has no value to give it to. A row
 * without any score above minus infinity has no weights. */
static NaiveRow softmax_row(size_t Nk, float sink, const float *s, float *w) {
  bool any = false;
  float m = sink;
  for (size_t j = 0; j < Nk; j++) {
    if (s[j] > m) m = s[j];
    if (s[j] != -INFINITY) any = true;
  }
  const float shift = m == -INFINITY ? 0.0f : m;
  float l = expf(sink - shift);
  for (size_t j = 0; j < Nk; j++) {
    w[j] = expf(s[j] - shift);
    l += w[j];
  }
  for (size_t j = 0; j < Nk; j++) w[j] = any ? w[j] / l : 0.0f;
  return (NaiveRow){.sum = any ? l : 0.0f, .lse = l == 0.0f ? -INFINITY : m + logf(l)};
}

NaiveRow naive_normalize_row(const Problem *p, const Sequence *s, size_t h, const float *from,
                             float *to) {
  const float *const sinks = p->options.sinks;
  return softmax_row(s->key_tokens, sinks ? sinks[h] : -INFINITY, from, to);
}

/* Pass 6. context = weights V: each row is a mean of the visible values. Only they are added up,
 * and only by a row that has weights, so that a hidden NaN stays hidden (0 * NaN would be NaN). */
static void weighted_sum(Head *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    float *const context = x->context + i * x->Dv;
    for (size_t d = 0; d < x->Dv; d++) context[d] = 0.0f;
    if (x->sums[i] == 0.0f) continue;
    const KeyRange range = problem_range(x->problem, &x->sequence, i);
    for (size_t j = range.begin; j < range.end; j++) {
      if (problem_masked(x->problem, x->sequence.index, x->h, i, j)) continue;
      const float w = x->weights[i * x->Nk + j];
      for (size_t d = 0; d < x->Dv; d++) context[d] += w * x->value[j * x->Dv + d];
    }
  }
}

/* Pass 7. The head's columns of the output: the heads come to lie side by side. */
static void scatter(const Head *x) {
  for (size_t i = 0; i < x->Nq; i++) {
    float *const out = problem_out(x->problem, &x->sequence, i, x->h);
    for (size_t d = 0; d < x->Dv; d++) out[d] = x->context[i * x->Dv + d];
  }
}

/* Shows every matrix of the head to the tap, of the score matrices the rows that it asks for. Keys
 * and values carry the number of their kv head, and come again with each query head that reads
 * them. */
static void show(const AttendContext *context, const Head *x) {
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

/* Nq x Nk matrices that a thread holds. */
static size_t score_matrices(const Problem *p) {
  return p->options.softcap > 0.0f ? 4 : 3;
}

/* Lays out one thread's matrices for the longest sequence, and places them in `base` if it is not
 * null. */
static Layout place(const Problem *p, const NaiveFit *fit, void *base, Head *x) {
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

/* Heads that run at the same time. A tap sees them in order, so with one there is one at a time. */
static size_t threads_over_heads(const AttendContext *context, const Problem *p) {
  const bool alone = !context->settings.naive_parallel || context->tap;
  return alone ? 1 : size_min(context->settings.threads, p->shape.batch * p->shape.query_heads);
}

static void fits(const AttendContext *context, const Problem *p, PathFit *fit) {
  NaiveFit *const naive = &fit->naive;
  Head unplaced = {0};
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
  Head x = {.problem = p, .sequence = problem_sequence(p, b), .h = h, .g = h / p->group};
  x.Nq = x.sequence.query_tokens;
  x.Nk = x.sequence.key_tokens;
  x.D = p->shape.head_dim;
  x.Dv = p->shape.value_dim;
  place(p, job->fit, job->workspace + thread * job->fit->thread_bytes, &x);

  double clock = profile_start(profiler);
  gather(&x);
  clock = profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
  score(&x);
  cap(&x);
  mask(&x);
  clock = profile_add(profiler, thread, ATTEND_PHASE_SCORES, clock);
  normalize(&x);
  clock = profile_add(profiler, thread, ATTEND_PHASE_SOFTMAX, clock);
  weighted_sum(&x);
  scatter(&x);
  profile_add(profiler, thread, ATTEND_PHASE_WEIGHTED_SUM, clock);
  if (job->context->tap) show(job->context, &x);
}

static void run(AttendContext *context, const Problem *p, const PathFit *fit, void *workspace) {
  Job job = {context, p, &fit->naive, workspace};
  const size_t heads = p->shape.batch * p->shape.query_heads;
  profile_gather(&context->profiler, parallel_for(fit->naive.threads, heads, run_head, &job));
}

const Path path_naive = {
    .id = ATTEND_PATH_NAIVE,
    .nature = "plain loops over every pair",
    .fits = fits,
    .explain = explain,
    .run = run,
    .count = work_count_score_matrices,
    .project = project_plainly,
};
