/* path_naive.c - attention as the formula says it, in plain loops.
 *
 *     context = softmax(scale * Q K^T + mask) V          for every sequence and every head
 *
 * Each numbered pass below is one line of that formula, and each of its matrices is really formed.
 * Letters: Nq query tokens, Nk key tokens, D head dimension of Q and K, Dv of V. Query head h reads
 * key/value head g = h / (Hq / Hk). Everything is row-major.
 *
 * This path is kept plain on purpose. It uses no BLAS and no intrinsics, it multiplies every pair
 * before the mask hides some of them, and it takes memory for three Nq x Nk matrices a thread. It
 * is what the other paths are compared with.
 */
#include <math.h>

#include "parallel.h"
#include "path.h"
#include "size.h"

/* The matrices of one head, in the order in which they arise. */
typedef struct Head {
  float *query;         /* [Nq, D]  */
  float *key;           /* [Nk, D]  */
  float *value;         /* [Nk, Dv] */
  float *scores;        /* [Nq, Nk] */
  float *masked_scores; /* [Nq, Nk] */
  float *weights;       /* [Nq, Nk] */
  float *sums;          /* [Nq], l of each row */
  float *context;       /* [Nq, Dv] */
} Head;

/* Pass 1. Q, K and V of this head, out of the activations of all heads. */
static void gather(const Problem *p, size_t b, size_t h, Head *head) {
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim, g = h / p->group;
  for (size_t i = 0; i < p->shape.query_tokens; i++) {
    for (size_t d = 0; d < D; d++) head->query[i * D + d] = problem_query(p, b, i, h)[d];
  }
  for (size_t j = 0; j < p->shape.key_tokens; j++) {
    for (size_t d = 0; d < D; d++) head->key[j * D + d] = problem_key(p, b, j, g)[d];
    for (size_t d = 0; d < Dv; d++) head->value[j * Dv + d] = problem_value(p, b, j, g)[d];
  }
}

/* Pass 2. scores = scale * Q K^T: how well each query matches each key. */
static void score(const Problem *p, Head *head) {
  const size_t Nq = p->shape.query_tokens, Nk = p->shape.key_tokens, D = p->shape.head_dim;
  for (size_t i = 0; i < Nq; i++) {
    for (size_t j = 0; j < Nk; j++) {
      float dot = 0.0f;
      for (size_t d = 0; d < D; d++) dot += head->query[i * D + d] * head->key[j * D + d];
      head->scores[i * Nk + j] = p->scale * dot;
    }
  }
}

/* Pass 3. masked_scores: a key that the query must not see gets minus infinity. */
static void mask(const Problem *p, Head *head) {
  const size_t Nq = p->shape.query_tokens, Nk = p->shape.key_tokens;
  for (size_t i = 0; i < Nq; i++) {
    const size_t visible = problem_visible(p, i);
    for (size_t j = 0; j < Nk; j++) {
      head->masked_scores[i * Nk + j] = j < visible ? head->scores[i * Nk + j] : -INFINITY;
    }
  }
}

/* Pass 4. weights = softmax of each row: exp(s - m) / l, where m is the row's largest score and l
 * the sum of exp(s - m). Subtracting m changes nothing in the quotient and keeps exp from
 * overflowing. A row without any score above minus infinity has no weights: all zero, and an LSE
 * of -inf. */
static void softmax(const Problem *p, size_t b, size_t h, Head *head) {
  const size_t Nq = p->shape.query_tokens, Nk = p->shape.key_tokens;
  for (size_t i = 0; i < Nq; i++) {
    const float *const s = head->masked_scores + i * Nk;
    float *const w = head->weights + i * Nk;
    float m = -INFINITY;
    for (size_t j = 0; j < Nk; j++) m = s[j] > m ? s[j] : m;
    const float shift = m == -INFINITY ? 0.0f : m;
    float l = 0.0f;
    for (size_t j = 0; j < Nk; j++) {
      w[j] = expf(s[j] - shift);
      l += w[j];
    }
    for (size_t j = 0; j < Nk; j++) w[j] = l == 0.0f ? 0.0f : w[j] / l;
    head->sums[i] = l;
    float *const lse = problem_lse(p, b, i, h);
    if (lse) *lse = l == 0.0f ? -INFINITY : m + logf(l);
  }
}

/* Pass 5. context = weights V: each row is a mean of the visible values. Only they are added up,
 * and only by a row that has weights, so that a hidden NaN stays hidden (0 * NaN would be NaN). */
static void weigh(const Problem *p, Head *head) {
  const size_t Nq = p->shape.query_tokens, Nk = p->shape.key_tokens, Dv = p->shape.value_dim;
  for (size_t i = 0; i < Nq; i++) {
    for (size_t d = 0; d < Dv; d++) head->context[i * Dv + d] = 0.0f;
    const size_t visible = head->sums[i] == 0.0f ? 0 : problem_visible(p, i);
    for (size_t j = 0; j < visible; j++) {
      const float w = head->weights[i * Nk + j];
      for (size_t d = 0; d < Dv; d++) head->context[i * Dv + d] += w * head->value[j * Dv + d];
    }
  }
}

/* Pass 6. The head's columns of the output: the heads come to lie side by side. */
static void scatter(const Problem *p, size_t b, size_t h, const Head *head) {
  const size_t Dv = p->shape.value_dim;
  for (size_t i = 0; i < p->shape.query_tokens; i++) {
    for (size_t d = 0; d < Dv; d++) problem_out(p, b, i, h)[d] = head->context[i * Dv + d];
  }
}

/* Shows every matrix of the head to the tap. Keys and values carry the number of their kv head, and
 * come again with each query head that reads them. */
static void show(const AttendContext *context, const Problem *p, size_t b, size_t h,
                 const Head *head) {
  const size_t Nq = p->shape.query_tokens, Nk = p->shape.key_tokens;
  const size_t D = p->shape.head_dim, Dv = p->shape.value_dim, g = h / p->group;
  const AttendMatrix matrices[] = {
      {"query", b, h, Nq, D, D, head->query},
      {"key", b, g, Nk, D, D, head->key},
      {"value", b, g, Nk, Dv, Dv, head->value},
      {"scores", b, h, Nq, Nk, Nk, head->scores},
      {"masked_scores", b, h, Nq, Nk, Nk, head->masked_scores},
      {"weights", b, h, Nq, Nk, Nk, head->weights},
      {"context", b, h, Nq, Dv, Dv, head->context},
  };
  for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++) {
    context->tap(context->tap_user, &matrices[m]);
  }
}

/* Where the matrices of one thread lie in the workspace. */
static Head place(const Problem *p, void *workspace, size_t thread, size_t *bytes, bool *overflow) {
  const AttendShape *const s = &p->shape;
  Layout layout = {0};
  const size_t offsets[] = {
      layout_floats(&layout, s->query_tokens, s->head_dim),
      layout_floats(&layout, s->key_tokens, s->head_dim),
      layout_floats(&layout, s->key_tokens, s->value_dim),
      layout_floats(&layout, s->query_tokens, s->key_tokens),
      layout_floats(&layout, s->query_tokens, s->key_tokens),
      layout_floats(&layout, s->query_tokens, s->key_tokens),
      layout_floats(&layout, s->query_tokens, 1),
      layout_floats(&layout, s->query_tokens, s->value_dim),
  };
  *bytes = layout.bytes;
  *overflow = layout.overflow;
  char *const base = workspace ? (char *)workspace + thread * layout.bytes : NULL;
  if (!base) return (Head){0};
  return (Head){layout_at(base, offsets[0]), layout_at(base, offsets[1]),
                layout_at(base, offsets[2]), layout_at(base, offsets[3]),
                layout_at(base, offsets[4]), layout_at(base, offsets[5]),
                layout_at(base, offsets[6]), layout_at(base, offsets[7])};
}

/* Heads that run at the same time. A tap sees them in order, so with one there is one at a time. */
static size_t threads_over_heads(const AttendContext *context, const Problem *p) {
  const bool alone = !context->settings.naive_parallel || context->tap;
  return alone ? 1 : size_min(context->settings.threads, p->shape.batch * p->shape.query_heads);
}

static AttendStatus consider(const AttendContext *context, const Problem *p, PathNeeds *needs,
                             Fault *reason) {
  const size_t threads = threads_over_heads(context, p);
  size_t bytes = 0;
  bool overflow = false;
  place(p, NULL, 0, &bytes, &overflow);
  *needs = (PathNeeds){.workspace_bytes = size_multiply(bytes, threads, &overflow)};
  const size_t cells = size_multiply(p->shape.query_tokens, p->shape.key_tokens, &overflow);
  needs->score_bytes =
      size_multiply(cells, size_multiply(3 * sizeof(float), threads, &overflow), &overflow);
  if (overflow) {
    return fault_set(reason, ATTEND_STATUS_OVERFLOW,
                     "its three %zu x %zu matrices a thread cannot be counted in bytes",
                     p->shape.query_tokens, p->shape.key_tokens);
  }
  if (needs->score_bytes > context->settings.score_memory_limit_bytes) {
    return fault_set(reason, ATTEND_STATUS_MEMORY_LIMIT,
                     "its three %zu x %zu matrices on %zu thread(s) need %zu bytes; "
                     "score_memory_limit_bytes is %zu",
                     p->shape.query_tokens, p->shape.key_tokens, threads, needs->score_bytes,
                     context->settings.score_memory_limit_bytes);
  }
  fault_set(reason, ATTEND_OK, "plain loops, %zu thread(s) over heads, %zu bytes of scores",
            threads, needs->score_bytes);
  return ATTEND_OK;
}

typedef struct Job {
  AttendContext *context;
  const Problem *problem;
  void *workspace;
} Job;

static void run_head(void *argument, size_t index, size_t thread) {
  const Job *const job = argument;
  const Problem *const p = job->problem;
  Profiler *const profiler = &job->context->profiler;
  const size_t b = index / p->shape.query_heads, h = index % p->shape.query_heads;
  size_t bytes = 0;
  bool overflow = false;
  Head head = place(p, job->workspace, thread, &bytes, &overflow);

  double clock = profile_start(profiler);
  gather(p, b, h, &head);
  clock = profile_add(profiler, thread, ATTEND_PHASE_PACKING, clock);
  score(p, &head);
  mask(p, &head);
  clock = profile_add(profiler, thread, ATTEND_PHASE_SCORES, clock);
  softmax(p, b, h, &head);
  clock = profile_add(profiler, thread, ATTEND_PHASE_SOFTMAX, clock);
  weigh(p, &head);
  scatter(p, b, h, &head);
  profile_add(profiler, thread, ATTEND_PHASE_WEIGHTED_SUM, clock);
  if (job->context->tap) show(job->context, p, b, h, &head);
}

static size_t run(AttendContext *context, const Problem *p, void *workspace) {
  Job job = {context, p, workspace};
  const size_t threads = threads_over_heads(context, p);
  parallel_for(threads, p->shape.batch * p->shape.query_heads, run_head, &job);
  return parallel_allowed(threads);
}

typedef struct ProjectJob {
  const Linear *linear;
  const float *x;
  float *y;
} ProjectJob;

/* One row of y = x W + bias. The loop over inputs is outside the one over outputs, so that W is
 * walked row by row. */
static void project_row(void *argument, size_t r, size_t thread) {
  const ProjectJob *const job = argument;
  const size_t in = job->linear->in, out = job->linear->out;
  const float *const W = job->linear->weight, *const bias = job->linear->bias;
  const float *const x = job->x + r * in;
  float *const y = job->y + r * out;
  (void)thread;
  for (size_t o = 0; o < out; o++) y[o] = bias ? bias[o] : 0.0f;
  for (size_t i = 0; i < in; i++) {
    for (size_t o = 0; o < out; o++) y[o] += x[i] * W[i * out + o];
  }
}

static void project(AttendContext *context, const Linear *linear, size_t rows, const float *x,
                    float *y) {
  ProjectJob job = {linear, x, y};
  const size_t threads = context->settings.naive_parallel ? context->settings.threads : 1;
  parallel_for(threads, rows, project_row, &job);
}

const Path path_naive = {
    .id = ATTEND_PATH_NAIVE,
    .nature = "plain loops over every pair",
    .consider = consider,
    .run = run,
    .project = project,
};
