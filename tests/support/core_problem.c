/* core_problem.c - core problems of the library's tests: their layouts, their data, and the
 * oracle's answer.
 *
 * Whatever is not an operand's element is NaN, and a case may ask for the same in elements that no
 * row sees; which those are, the oracle says.
 */
#include "tests/support/core_problem.h"

#include <math.h>
#include <stdlib.h>

#define FLOAT_UNIT 0x1p-24 /* half the distance of 1 to the next float */

/* Strides and extent of one operand. */
typedef struct Placement {
  size_t offset, batch_stride, token_stride, head_stride, extent;
} Placement;

static Placement place(CaseLayout layout, size_t batch, size_t tokens, size_t heads, size_t dim) {
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

uint8_t *problem_mask_row(const CoreProblem *problem, size_t b, size_t h, size_t i) {
  const AttendMask *const mask = &problem->options.mask;
  return problem->data.mask + b * mask->batch_stride + h * mask->head_stride +
         i * mask->query_stride;
}

static void fill_view(const AttendView *view, uint64_t seed, float bound, size_t batch,
                      size_t tokens, size_t heads, size_t dim) {
  for (size_t b = 0; b < batch; b++)
    for (size_t n = 0; n < tokens; n++)
      for (size_t h = 0; h < heads; h++)
        fill_random(seed + ((b * 4099 + h) << 32) + n, bound, problem_row(view, b, n, h), dim);
}

/* Sequences along the batch dimension of the query, and of key and value. */
static size_t query_batch(const CoreCase *spec) {
  return spec->options.ragged ? 1 : spec->shape.batch;
}

static size_t key_batch(const CoreCase *spec) {
  return spec->layout == LAYOUT_SHARED ? 1 : query_batch(spec);
}

/* The three chunks of one [B, N, Hq*D + Hk*D + Hk*Dv]. */
static void place_fused(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  assert_int_equal(s->query_tokens, s->key_tokens);
  const size_t queries = s->query_heads * s->head_dim, keys = s->kv_heads * s->head_dim;
  const size_t columns = queries + keys + s->kv_heads * s->value_dim;
  float *const fused =
      guarded_new(query_batch(&problem->spec) * s->key_tokens * columns * sizeof(float), 4);
  const size_t batch_stride = s->key_tokens * columns;
  problem->buffers[0] = fused;
  problem->query = (AttendView){fused, batch_stride, columns, s->head_dim};
  problem->key = (AttendView){fused + queries, batch_stride, columns, s->head_dim};
  problem->value = (AttendView){fused + queries + keys, batch_stride, columns, s->value_dim};
}

static void place_apart(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const CaseLayout layout = problem->spec.layout;
  const size_t kv_batch = key_batch(&problem->spec);
  const Placement places[3] = {
      place(layout, query_batch(&problem->spec), s->query_tokens, s->query_heads, s->head_dim),
      place(layout, kv_batch, s->key_tokens, s->kv_heads, s->head_dim),
      place(layout, kv_batch, s->key_tokens, s->kv_heads, s->value_dim)};
  AttendView *const views[3] = {&problem->query, &problem->key, &problem->value};
  for (size_t k = 0; k < 3; k++) {
    problem->buffers[k] = guarded_new(places[k].extent * sizeof(float), 4);
    *views[k] = view_at(problem->buffers[k], places[k]);
    if (layout == LAYOUT_SHARED && k > 0) views[k]->batch_stride = 0;
  }
}

static void fill_operands(CoreProblem *problem) {
  const CoreCase *const spec = &problem->spec;
  const AttendShape *const s = &spec->shape;
  const uint64_t seed = spec->seed ? spec->seed : 1;
  const float bound = spec->bound != 0.0f ? spec->bound : 1.0f;
  const size_t kv_batch = key_batch(spec);
  fill_view(&problem->query, 3 * seed, bound, query_batch(spec), s->query_tokens, s->query_heads,
            s->head_dim);
  fill_view(&problem->key, 5 * seed + 1000003, bound, kv_batch, s->key_tokens, s->kv_heads,
            s->head_dim);
  fill_view(&problem->value, 7 * seed + 2000003, 1.0f, kv_batch, s->key_tokens, s->kv_heads,
            s->value_dim);
}

/* What rows of a problem see: keys by [batch dimension][token][kv head], elements of the bias. */
typedef struct Sight {
  bool *keys, *bias;
} Sight;

static void look_at(const CoreProblem *problem, const OracleCore *core, size_t b, size_t h,
                    size_t i, const Sight *sight) {
  const AttendShape *const s = &problem->spec.shape;
  const AttendBias *const bias = &problem->options.bias;
  const OracleSequence sequence = oracle_sequence(core, b);
  const size_t from = key_batch(&problem->spec) > 1 ? sequence.key_batch : 0;
  for (size_t j = 0; j < sequence.key_tokens; j++) {
    if (!oracle_sees(core, b, i, h, j)) continue;
    const size_t token = from * s->key_tokens + sequence.key_at + j;
    sight->keys[token * s->kv_heads + h / (s->query_heads / s->kv_heads)] = true;
    if (bias->data)
      sight->bias[b * bias->batch_stride + h * bias->head_stride + i * bias->query_stride +
                  j * bias->key_stride] = true;
  }
}

static void poison_row(float *row, size_t dim, size_t turn) {
  static const float poisons[] = {NAN, INFINITY, -INFINITY};
  for (size_t d = 0; d < dim; d++) row[d] = poisons[(turn + d) % 3];
}

/* Makes all that no row sees NaN and infinite in turn. A bias of -inf is what hides its key and
 * stays. */
static void poison_hidden(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const OracleCore core = problem_oracle(problem);
  const size_t keys = key_batch(&problem->spec) * s->key_tokens * s->kv_heads;
  const Sight sight = {calloc(keys + 1, sizeof(bool)),
                       calloc(problem->data.bias_count + 1, sizeof(bool))};
  assert_true(sight.keys && sight.bias);
  for (size_t b = 0; b < s->batch; b++)
    for (size_t i = 0; i < oracle_sequence(&core, b).query_tokens; i++)
      for (size_t h = 0; h < s->query_heads; h++) look_at(problem, &core, b, h, i, &sight);
  for (size_t k = 0; k < keys; k++) {
    const size_t token = k / s->kv_heads, batch = token / s->key_tokens, j = token % s->key_tokens;
    if (sight.keys[k]) continue;
    poison_row(problem_row(&problem->key, batch, j, k % s->kv_heads), s->head_dim, k);
    poison_row(problem_row(&problem->value, batch, j, k % s->kv_heads), s->value_dim, k + 1);
  }
  for (size_t k = 0; k < problem->data.bias_count; k++)
    if (!sight.bias[k] && problem->data.bias[k] != -INFINITY)
      problem->data.bias[k] = k % 2 ? INFINITY : NAN;
  free(sight.keys);
  free(sight.bias);
}

/* One NaN among the keys and one among the values. */
static void poison_one(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const uint64_t seed = problem->spec.seed + 77;
  if (s->key_tokens == 0) return;
  for (uint64_t k = 0; k < 2; k++) {
    const size_t batch = case_draw(seed, 5 * k, key_batch(&problem->spec));
    const size_t token = case_draw(seed, 5 * k + 1, s->key_tokens);
    const size_t head = case_draw(seed, 5 * k + 2, s->kv_heads);
    float *const row = problem_row(k ? &problem->value : &problem->key, batch, token, head);
    row[case_draw(seed, 5 * k + 3, k ? s->value_dim : s->head_dim)] = NAN;
  }
}

CoreProblem problem_new(const CoreCase *spec) {
  CoreProblem problem = {.spec = *spec};
  problem.data = option_data_new(spec, &problem.options);
  if (spec->layout == LAYOUT_FUSED)
    place_fused(&problem);
  else
    place_apart(&problem);
  fill_operands(&problem);
  if (spec->poison != POISON_NONE) poison_hidden(&problem);
  if (spec->poison == POISON_VISIBLE) poison_one(&problem);
  return problem;
}

void problem_store(CoreProblem *problem, AttendStorage storage) {
  const AttendShape *const s = &problem->spec.shape;
  for (size_t t = 0; t < s->batch * s->key_tokens; t++)
    for (size_t g = 0; g < s->kv_heads; g++) {
      const size_t b = t / s->key_tokens, j = t % s->key_tokens;
      round_to_storage(storage, problem_row(&problem->key, b, j, g), s->head_dim);
      round_to_storage(storage, problem_row(&problem->value, b, j, g), s->value_dim);
    }
}

void problem_free(CoreProblem *problem) {
  for (size_t k = 0; k < 3; k++) guarded_free(problem->buffers[k], "an input");
  option_data_free(&problem->data);
  free(problem->out);
  free(problem->magnitude);
  free(problem->spread);
  free(problem->rows);
  *problem = (CoreProblem){.spec = problem->spec};
}

float *problem_new_output(const CoreProblem *problem, AttendOutputView *out, size_t *extent) {
  const AttendShape *const s = &problem->spec.shape;
  const Placement at = place(problem->spec.layout, query_batch(&problem->spec), s->query_tokens,
                             s->query_heads, s->value_dim);
  float *const buffer = guarded_new(at.extent * sizeof *buffer, 4);
  *extent = at.extent;
  *out = (AttendOutputView){buffer + at.offset, at.batch_stride, at.token_stride, at.head_stride};
  return buffer;
}

static size_t output_count(const AttendShape *s) {
  return s->batch * s->query_tokens * s->query_heads * s->value_dim;
}

static OracleView oracle_view(AttendView view) {
  return (OracleView){view.data, view.batch_stride, view.token_stride, view.head_stride};
}

/* A bf16 number has 8 bits, so that rounding to it is off by 2^-8 at most and two terms by 2^-17.
 * A product takes the errors of both its factors, and with two terms lacks the product of the
 * second ones, 2^-16 of it. With three terms the factors are exact, and what it lacks are the
 * products of 2^-8 and 2^-17 and that of 2^-17 and 2^-17. */
double product_error(AttendPrecision precision) {
  static const double errors[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_FP32] = 0.0,
      [ATTEND_PRECISION_BF16X6] = 0x1.01p-24,
      [ATTEND_PRECISION_BF16X3] = 0x2.01p-16,
      [ATTEND_PRECISION_BF16] = 0x2.01p-8,
  };
  return errors[precision];
}

/* A score is D products and sums, and the scale on the query, each rounded once in fp32; what is
 * added to it, a softcap and the distance to the maximum take a few roundings of their own size. */
OracleCore problem_oracle(const CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const double product = product_error(problem->precision);
  return (OracleCore){
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
      .scoring = oracle_scoring(&problem->options),
      .lengths = oracle_lengths(&problem->options),
      .slack = {((double)s->head_dim + 16.0) * FLOAT_UNIT + product, 8.0 * FLOAT_UNIT},
  };
}

void problem_expect(CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  const OracleCore core = problem_oracle(problem);
  const size_t count = output_count(s);
  if (!problem->out) {
    problem->out = new_bytes(count * sizeof(double));
    problem->magnitude = new_bytes(count * sizeof(double));
    problem->spread = new_bytes(count * sizeof(double));
    problem->rows = new_bytes(s->batch * s->query_heads * s->query_tokens * sizeof(OracleRow));
  }
  assert_true(oracle_core(&core, problem->out, problem->magnitude, problem->spread, problem->rows));
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
