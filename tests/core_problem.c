/* core_problem.c - core problems of the library's tests: their layouts, and the comparison of a run
 * with the oracle.
 *
 * Problems are compared under the tighter of two bounds: the fixed allowance, and the bound that
 * follows from rounding alone (see row_allowance()). Data with scores too large for the fixed
 * allowance are held to the derived one.
 */
#include "tests/core_problem.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define FLOAT_UNIT 0x1p-24 /* half the distance of 1 to the next float */

/* Strides and extent of one operand. */
typedef struct Placement {
  size_t offset, batch_stride, token_stride, head_stride, extent;
} Placement;

static Placement place(Layout layout, size_t batch, size_t tokens, size_t heads, size_t dim) {
  Placement p = {0, tokens * heads * dim, heads * dim, dim, 0};
  if (layout == LAYOUT_BHND || layout == LAYOUT_SHARED) {
    p.token_stride = dim;
    p.head_stride = tokens * dim;
  } else if (layout == LAYOUT_NBHD) {
    p.batch_stride = heads * dim;
    p.token_stride = batch * heads * dim;
  } else if (layout == LAYOUT_PADDED) {
    p.offset = 3;
    p.head_stride = dim + 3;
    p.token_stride = heads * (dim + 3) + 5;
    p.batch_stride = tokens * (heads * (dim + 3) + 5) + 7;
  }
  p.extent = p.offset + batch * tokens * heads * dim;
  if (layout == LAYOUT_PADDED) p.extent = p.offset + batch * p.batch_stride;
  return p;
}

static AttendView view_at(const float *buffer, Placement place) {
  return (AttendView){buffer + place.offset, place.batch_stride, place.token_stride,
                      place.head_stride};
}

float *problem_row(const AttendView *view, size_t batch, size_t token, size_t head) {
  /* The buffer belongs to the problem and is not const itself. */
  return (float *)(uintptr_t)(view->data + batch * view->batch_stride + token * view->token_stride +
                              head * view->head_stride);
}

static void fill_view(const AttendView *view, uint64_t seed, float bound, size_t batch,
                      size_t tokens, size_t heads, size_t dim) {
  for (size_t b = 0; b < batch; b++)
    for (size_t n = 0; n < tokens; n++)
      for (size_t h = 0; h < heads; h++)
        fill_random(seed + ((b * 4099 + h) << 32) + n, bound, problem_row(view, b, n, h), dim);
}

/* The three chunks of one [B, N, Hq*D + Hk*D + Hk*Dv]. */
static void place_fused(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  assert_int_equal(s->query_tokens, s->key_tokens);
  const size_t queries = s->query_heads * s->head_dim, keys = s->kv_heads * s->head_dim;
  const size_t columns = queries + keys + s->kv_heads * s->value_dim;
  float *const fused = guarded_new(s->batch * s->key_tokens * columns * sizeof(float), 4);
  const size_t batch_stride = s->key_tokens * columns;
  problem->buffers[0] = fused;
  problem->query = (AttendView){fused, batch_stride, columns, s->head_dim};
  problem->key = (AttendView){fused + queries, batch_stride, columns, s->head_dim};
  problem->value = (AttendView){fused + queries + keys, batch_stride, columns, s->value_dim};
}

static void place_apart(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const Layout layout = problem->spec.layout;
  const size_t kv_batch = layout == LAYOUT_SHARED ? 1 : s->batch;
  const Placement places[3] = {
      place(layout, s->batch, s->query_tokens, s->query_heads, s->head_dim),
      place(layout, kv_batch, s->key_tokens, s->kv_heads, s->head_dim),
      place(layout, kv_batch, s->key_tokens, s->kv_heads, s->value_dim)};
  AttendView *const views[3] = {&problem->query, &problem->key, &problem->value};
  for (size_t k = 0; k < 3; k++) {
    problem->buffers[k] = guarded_new(places[k].extent * sizeof(float), 4);
    *views[k] = view_at(problem->buffers[k], places[k]);
    if (layout == LAYOUT_SHARED && k > 0) views[k]->batch_stride = 0;
  }
}

CoreProblem problem_new(const CoreCase *spec) {
  CoreProblem problem = {.spec = *spec};
  const AttendShape *const s = &problem.spec.shape;
  attend_default_options(&problem.options);
  problem.options.causal = !spec->bidirectional;
  problem.options.q_start = spec->q_start;
  problem.options.scale = spec->scale;
  if (spec->layout == LAYOUT_FUSED)
    place_fused(&problem);
  else
    place_apart(&problem);
  const uint64_t seed = spec->seed ? spec->seed : 1;
  const float bound = spec->bound != 0.0f ? spec->bound : 1.0f;
  const size_t kv_batch = spec->layout == LAYOUT_SHARED ? 1 : s->batch;
  fill_view(&problem.query, 3 * seed, bound, s->batch, s->query_tokens, s->query_heads,
            s->head_dim);
  fill_view(&problem.key, 5 * seed + 1000003, bound, kv_batch, s->key_tokens, s->kv_heads,
            s->head_dim);
  fill_view(&problem.value, 7 * seed + 2000003, 1.0f, kv_batch, s->key_tokens, s->kv_heads,
            s->value_dim);
  return problem;
}

void problem_free(CoreProblem *problem) {
  for (size_t k = 0; k < 3; k++) guarded_free(problem->buffers[k], "an input");
  free(problem->out);
  free(problem->magnitude);
  free(problem->spread);
  free(problem->rows);
  *problem = (CoreProblem){.spec = problem->spec};
}

static size_t output_count(const AttendShape *s) {
  return s->batch * s->query_tokens * s->query_heads * s->value_dim;
}

static OracleView oracle_view(AttendView view) {
  return (OracleView){view.data, view.batch_stride, view.token_stride, view.head_stride};
}

void problem_expect(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const OracleCore core = {
      .batch = s->batch,
      .query_tokens = s->query_tokens,
      .key_tokens = s->key_tokens,
      .query_heads = s->query_heads,
      .kv_heads = s->kv_heads,
      .head_dim = s->head_dim,
      .value_dim = s->value_dim,
      .query = oracle_view(problem->query),
      .key = oracle_view(problem->key),
      .value = oracle_view(problem->value),
      .scale = (double)problem->options.scale,
      .causal = problem->options.causal,
      .q_start = problem->options.q_start,
  };
  const size_t count = output_count(s);
  if (!problem->out) {
    problem->out = new_bytes(count * sizeof(double));
    problem->magnitude = new_bytes(count * sizeof(double));
    problem->spread = new_bytes(count * sizeof(double));
    problem->rows = new_bytes(s->batch * s->query_heads * s->query_tokens * sizeof(OracleRow));
  }
  assert_true(oracle_core(&core, problem->out, problem->magnitude, problem->spread, problem->rows));
}

/* The most that a score may be off: D products and sums, the scale on the query, and the subtraction
 * of the maximum, each rounded once in fp32. */
static double score_allowance(const AttendShape *shape, const OracleRow *row) {
  return ((double)shape->head_dim + 16.0) * FLOAT_UNIT * row->score_magnitude;
}

/* Rounding alone: scores move weights, and each of the sums over keys rounds once per key. */
static double row_allowance(const CoreProblem *problem, const OracleRow *row, size_t at) {
  const double wrong = score_allowance(&problem->spec.shape, row);
  const double derived = expm1(2.0 * wrong) * problem->spread[at] +
                         (2.0 * (double)row->visible + 32.0) * FLOAT_UNIT * problem->magnitude[at] +
                         1e-30;
  const double fixed = fixed_allowance(problem->out[at]);
  const bool large = problem->spec.bound > 1.0f || fabsf(problem->spec.scale) > 1.0f;
  return large || derived < fixed ? derived : fixed;
}

static double lse_allowance(const CoreProblem *problem, const OracleRow *row) {
  const double derived = score_allowance(&problem->spec.shape, row) +
                         ((double)row->visible + 32.0) * FLOAT_UNIT +
                         4.0 * FLOAT_UNIT * fabs(row->lse);
  const double fixed = fixed_allowance(row->lse);
  const bool large = problem->spec.bound > 1.0f || fabsf(problem->spec.scale) > 1.0f;
  return large || derived < fixed ? derived : fixed;
}

static void fail_problem(const CoreProblem *problem, Engine engine, size_t threads,
                         const char *what, const size_t place[4], double got, double expected,
                         double allowed) {
  static const char *const layouts[LAYOUT_COUNT] = {"bnhd",  "bhnd",   "nbhd",
                                                    "fused", "padded", "shared"};
  const CoreCase *const c = &problem->spec;
  fail_msg("path=%s isa=%s threads=%zu B=%zu Nq=%zu Nk=%zu Hq=%zu Hk=%zu D=%zu Dv=%zu causal=%d "
           "q_start=%" PRId64 " scale=%g bound=%g layout=%s seed=%" PRIu64
           ": %s at b=%zu i=%zu h=%zu d=%zu is %.9g, expected %.9g +- %.2g",
           attend_path_name(engine.path), attend_isa_name(engine.isa), threads, c->shape.batch,
           c->shape.query_tokens, c->shape.key_tokens, c->shape.query_heads, c->shape.kv_heads,
           c->shape.head_dim, c->shape.value_dim, problem->options.causal, c->q_start,
           (double)c->scale, (double)c->bound, layouts[c->layout], c->seed ? c->seed : 1, what,
           place[0], place[1], place[2], place[3], got, expected, allowed);
}

/* Compares one output row and its LSE, and marks the row's elements as untouched again, so that what
 * remains in the buffer is what should never have been written. */
static void check_row(const CoreProblem *problem, Engine engine, size_t threads, float *row,
                      float lse, const size_t place[3]) {
  const AttendShape *const s = &problem->spec.shape;
  const OracleRow *const expected =
      problem->rows + (place[0] * s->query_heads + place[2]) * s->query_tokens + place[1];
  const size_t first =
      ((place[0] * s->query_tokens + place[1]) * s->query_heads + place[2]) * s->value_dim;
  for (size_t d = 0; d < s->value_dim; d++) {
    const double allowed = row_allowance(problem, expected, first + d);
    if (is_untouched(row + d) || !is_close((double)row[d], problem->out[first + d], allowed))
      fail_problem(problem, engine, threads, "out",
                   (const size_t[]){place[0], place[1], place[2], d}, (double)row[d],
                   problem->out[first + d], allowed);
    row[d] = untouched_float();
  }
  const double allowed = lse_allowance(problem, expected);
  if (is_untouched(&lse) || !is_close((double)lse, expected->lse, allowed))
    fail_problem(problem, engine, threads, "lse", (const size_t[]){place[0], place[1], place[2], 0},
                 (double)lse, expected->lse, allowed);
}

void problem_check(const CoreProblem *problem, AttendContext *context, Engine engine,
                   size_t threads) {
  const AttendShape *const s = &problem->spec.shape;
  const Placement at =
      place(problem->spec.layout, s->batch, s->query_tokens, s->query_heads, s->value_dim);
  float *const buffer = guarded_new(at.extent * sizeof *buffer, 4);
  float *const lse = guarded_new(s->batch * s->query_heads * s->query_tokens * sizeof *lse, 4);
  const AttendOutputView out = {buffer + at.offset, at.batch_stride, at.token_stride,
                                at.head_stride};
  assert_ok(context, attend_core_forward(context, s, problem->query, problem->key, problem->value,
                                         &problem->options, out, lse));
  for (size_t b = 0; b < s->batch; b++)
    for (size_t h = 0; h < s->query_heads; h++)
      for (size_t i = 0; i < s->query_tokens; i++)
        check_row(problem, engine, threads,
                  out.data + b * out.batch_stride + i * out.token_stride + h * out.head_stride,
                  lse[(b * s->query_heads + h) * s->query_tokens + i], (const size_t[]){b, i, h});
  for (size_t i = 0; i < at.extent; i++)
    if (!is_untouched(buffer + i))
      fail_problem(problem, engine, threads, "gap", (const size_t[]){0, 0, 0, i}, (double)buffer[i],
                   NAN, 0.0);
  guarded_free(buffer, "out");
  guarded_free(lse, "lse");
}

void problem_check_engine(const CoreProblem *problem, Engine engine, size_t threads) {
  AttendContext *context = engine_open(engine, threads);
  problem_check(problem, context, engine, threads);
  attend_close(&context);
}

void check_case(const CoreCase *spec, size_t threads) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  CoreProblem problem = problem_new(spec);
  problem_expect(&problem);
  for (size_t k = 0; k < count; k++) problem_check_engine(&problem, engines[k], threads);
  problem_free(&problem);
}

AttendPlan plan_of(Engine engine, const AttendShape *shape, const AttendOptions *options) {
  AttendContext *context = engine_open(engine, 1);
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, shape, options, &plan));
  attend_close(&context);
  return plan;
}

AttendShape shape_of(size_t query_tokens, size_t key_tokens) {
  return (AttendShape){.batch = 1,
                       .query_tokens = query_tokens,
                       .key_tokens = key_tokens,
                       .query_heads = 2,
                       .kv_heads = 1,
                       .head_dim = 32,
                       .value_dim = 32};
}

void tile_of(Engine engine, size_t *query_tile, size_t *key_tile) {
  const AttendShape shape = shape_of(4096, 4096);
  const AttendPlan plan = plan_of(engine, &shape, NULL);
  assert_int_equal(plan.path, ATTEND_PATH_TILED);
  assert_int_equal(plan.isa, engine.isa);
  assert_true(plan.query_tile >= 1 && plan.key_tile >= 1);
  *query_tile = plan.query_tile;
  *key_tile = plan.key_tile;
}
