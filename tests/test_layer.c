/* test_layer.c - the whole layer: projections, heads, core and output, on every path.
 *
 * A layer problem has one set of fused [in, out] weights, which is what the oracle reads; the library
 * is given them in every form that it accepts. The hand-computed case does without the oracle.
 */
#include "tests/support.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the library is given the weights. */
typedef struct Form {
  AttendOrientation orientation;
  bool fused;
} Form;

typedef struct LayerCase {
  AttendLayerShape shape;
  size_t batch, tokens;
  bool bidirectional;
  int64_t q_start;
  bool no_bias;
} LayerCase;

/* The parts of the fused matrix, and the columns of all. */
typedef struct Columns {
  size_t query, key, value, all, context;
} Columns;

typedef struct LayerProblem {
  LayerCase spec;
  Columns columns;
  AttendOptions options;
  float *x, *qkv, *qkv_bias, *output, *output_bias;
  double *y; /* [B, N, E] by the oracle */
} LayerProblem;

static Columns columns_of(const AttendLayerShape *s) {
  const Columns columns = {.query = s->query_heads * s->head_dim,
                           .key = s->kv_heads * s->head_dim,
                           .value = s->kv_heads * s->value_dim,
                           .all = (s->query_heads + s->kv_heads) * s->head_dim +
                                  s->kv_heads * s->value_dim,
                           .context = s->query_heads * s->value_dim};
  return columns;
}

static OracleLayer oracle_of(const LayerProblem *p) {
  const AttendLayerShape *const s = &p->spec.shape;
  return (OracleLayer){.batch = p->spec.batch,
                       .tokens = p->spec.tokens,
                       .width = s->width,
                       .query_heads = s->query_heads,
                       .kv_heads = s->kv_heads,
                       .head_dim = s->head_dim,
                       .value_dim = s->value_dim,
                       .x = p->x,
                       .qkv = p->qkv,
                       .qkv_bias = p->qkv_bias,
                       .output = p->output,
                       .output_bias = p->output_bias,
                       .scale = (double)p->options.scale,
                       .causal = p->options.causal,
                       .q_start = p->options.q_start};
}

/* Weights of 1/sqrt(rows), so that what comes out is of the size of what goes in. */
static LayerProblem layer_new(const LayerCase *spec) {
  const AttendLayerShape *const s = &spec->shape;
  LayerProblem p = {.spec = *spec, .columns = columns_of(s)};
  const float in_bound = 1.0f / sqrtf((float)s->width);
  const float out_bound = 1.0f / sqrtf((float)p.columns.context);
  attend_default_options(&p.options);
  p.options.causal = !spec->bidirectional;
  p.options.q_start = spec->q_start;
  p.x = new_random(11, 1.0f, spec->batch * spec->tokens * s->width);
  p.qkv = new_random(12, in_bound, s->width * p.columns.all);
  p.output = new_random(13, out_bound, p.columns.context * s->width);
  if (!spec->no_bias) {
    p.qkv_bias = new_random(14, 0.5f, p.columns.all);
    p.output_bias = new_random(15, 0.5f, s->width);
  }
  p.y = new_bytes(spec->batch * spec->tokens * s->width * sizeof *p.y);
  const OracleLayer oracle = oracle_of(&p);
  assert_true(oracle_layer(&oracle, p.y));
  return p;
}

static void layer_free(LayerProblem *p) {
  free(p->x);
  free(p->qkv);
  free(p->qkv_bias);
  free(p->output);
  free(p->output_bias);
  free(p->y);
}

/* Columns first .. first + count - 1 of the matrix, as [in, out] or transposed. */
static float *part_of(const float *matrix, size_t rows, size_t stride, size_t first, size_t count,
                      AttendOrientation orientation) {
  float *const part = new_bytes(rows * count * sizeof *part);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < count; c++)
      part[orientation == ATTEND_IN_OUT ? r * count + c : c * rows + r] =
          matrix[r * stride + first + c];
  return part;
}

/* Packs the weights from the form; what they are packed from is freed before they are used. */
static AttendWeights *pack_form(AttendContext *context, const LayerProblem *p, Form form) {
  const size_t width = p->spec.shape.width, all = p->columns.all;
  const size_t counts[3] = {p->columns.query, p->columns.key, p->columns.value};
  float *parts[3] = {0}, *fused = NULL;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.orientation = form.orientation;
  if (form.fused) {
    source.qkv = fused = part_of(p->qkv, width, all, 0, all, form.orientation);
    source.qkv_bias = p->qkv_bias;
  } else {
    size_t first = 0;
    for (size_t k = 0; k < 3; k++) {
      parts[k] = part_of(p->qkv, width, all, first, counts[k], form.orientation);
      const float **const to[] = {&source.query, &source.key, &source.value};
      const float **const bias_to[] = {&source.query_bias, &source.key_bias, &source.value_bias};
      *to[k] = parts[k];
      *bias_to[k] = p->qkv_bias ? p->qkv_bias + first : NULL;
      first += counts[k];
    }
  }
  float *const output = part_of(p->output, p->columns.context, width, 0, width, form.orientation);
  source.output = output;
  source.output_bias = p->output_bias;
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, &p->spec.shape, &source, &weights));
  assert_non_null(weights);
  for (size_t k = 0; k < 3; k++) free(parts[k]);
  free(fused);
  free(output);
  return weights;
}

/* Runs the layer and compares it with the oracle; returns Y in guarded memory. */
static float *run_layer(AttendContext *context, const LayerProblem *p, const AttendWeights *weights,
                        Engine engine, Form form) {
  const LayerCase *const c = &p->spec;
  const AttendLayerShape *const s = &c->shape;
  const size_t floats = c->batch * c->tokens * s->width;
  float *const y = guarded_new(floats * sizeof *y, 4);
  assert_ok(context, attend_layer_forward(context, weights, NULL, c->batch, c->tokens, p->x,
                                          &p->options, y));
  char label[256];
  snprintf(label, sizeof label,
           "layer path=%s isa=%s B=%zu N=%zu E=%zu Hq=%zu Hk=%zu D=%zu Dv=%zu causal=%d "
           "q_start=%d bias=%d orientation=%d fused=%d",
           attend_path_name(engine.path), attend_isa_name(engine.isa), c->batch, c->tokens,
           s->width, s->query_heads, s->kv_heads, s->head_dim, s->value_dim, p->options.causal,
           (int)c->q_start, !c->no_bias, form.orientation, form.fused);
  check_close(label, y, p->y, floats);
  return y;
}

static void check_layer(const LayerCase *spec, Form form) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  LayerProblem problem = layer_new(spec);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_form(context, &problem, form);
    guarded_free(run_layer(context, &problem, weights, engines[k], form), "y");
    attend_free_weights(&weights);
    assert_null(weights);
    attend_close(&context);
  }
  layer_free(&problem);
}

static const LayerCase cases[] = {
    {.shape = {64, 4, 4, 16, 16}, .batch = 1, .tokens = 33},
    {.shape = {64, 4, 2, 16, 16}, .batch = 2, .tokens = 20},
    {.shape = {96, 6, 1, 24, 24}, .batch = 1, .tokens = 50},    /* Hq*D is 144 */
    {.shape = {100, 7, 1, 8, 20}, .batch = 1, .tokens = 17},    /* Dv differs */
    {.shape = {30, 3, 3, 40, 8}, .batch = 3, .tokens = 9},      /* Hq*D is 4 E */
    {.shape = {1, 1, 1, 1, 1}, .batch = 1, .tokens = 5},        /* the smallest */
    {.shape = {512, 1, 1, 512, 512}, .batch = 1, .tokens = 12}, /* one wide head */
    {.shape = {64, 2, 2, 32, 32}, .batch = 1, .tokens = 130},   /* the class size */
    {.shape = {896, 14, 2, 64, 64}, .batch = 1, .tokens = 65},  /* Qwen2.5-0.5B */
    {.shape = {64, 8, 2, 8, 8}, .batch = 1, .tokens = 1},       /* one row: gemv */
    {.shape = {64, 8, 2, 8, 8}, .batch = 4, .tokens = 1},       /* one row each */
};

static void layers_match_the_oracle(void **state) {
  (void)state;
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    for (int variant = 0; variant < 4; variant++) {
      LayerCase spec = cases[c];
      spec.bidirectional = variant % 2 != 0;
      spec.no_bias = variant / 2 != 0;
      check_layer(&spec, (Form){ATTEND_IN_OUT, true});
    }
  }
}

static void query_start_without_a_cache(void **state) {
  (void)state;
  static const int64_t starts[] = {-40, -3, 2, 1000};
  for (size_t k = 0; k < COUNT_OF(starts); k++) {
    const LayerCase spec = {
        .shape = {48, 4, 2, 12, 12}, .batch = 2, .tokens = 21, .q_start = starts[k]};
    check_layer(&spec, (Form){ATTEND_IN_OUT, false});
  }
}

/* Packed from any form, the weights are the same and so are the bits of the output. */
static void every_form_of_the_weights(void **state) {
  (void)state;
  static const Form forms[] = {
      {ATTEND_IN_OUT, true}, {ATTEND_IN_OUT, false}, {ATTEND_OUT_IN, true}, {ATTEND_OUT_IN, false}};
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (int no_bias = 0; no_bias < 2; no_bias++) {
    const LayerCase spec = {
        .shape = {70, 6, 2, 18, 34}, .batch = 2, .tokens = 19, .no_bias = no_bias != 0};
    LayerProblem problem = layer_new(&spec);
    for (size_t k = 0; k < count; k++) {
      AttendContext *context = engine_open(engines[k], 2);
      float *y[COUNT_OF(forms)] = {0};
      for (size_t f = 0; f < COUNT_OF(forms); f++) {
        AttendWeights *weights = pack_form(context, &problem, forms[f]);
        const AttendLayerShape shape = attend_weights_shape(weights);
        assert_memory_equal(&shape, &spec.shape, sizeof shape);
        assert_true(attend_weights_bytes(weights) >=
                    (70 * problem.columns.all + problem.columns.context * 70) * sizeof(float));
        y[f] = run_layer(context, &problem, weights, engines[k], forms[f]);
        assert_memory_equal(y[f], y[0], 2 * 19 * 70 * sizeof(float));
        attend_free_weights(&weights);
      }
      for (size_t f = 0; f < COUNT_OF(forms); f++) guarded_free(y[f], "y");
      attend_close(&context);
    }
    layer_free(&problem);
  }
}

/* Each bias is optional by itself: leaving one out is the same as zeros in its part. */
static void single_biases(void **state) {
  (void)state;
  const LayerCase spec = {.shape = {40, 4, 2, 10, 14}, .batch = 1, .tokens = 11};
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t given = 0; given < 16; given++) {
    LayerProblem p = layer_new(&spec);
    const Columns *const c = &p.columns;
    if (!(given & 1)) memset(p.qkv_bias, 0, c->query * sizeof(float));
    if (!(given & 2)) memset(p.qkv_bias + c->query, 0, c->key * sizeof(float));
    if (!(given & 4)) memset(p.qkv_bias + c->query + c->key, 0, c->value * sizeof(float));
    if (!(given & 8)) memset(p.output_bias, 0, 40 * sizeof(float));
    const OracleLayer oracle = oracle_of(&p);
    assert_true(oracle_layer(&oracle, p.y));
    AttendWeightSource source;
    attend_default_weight_source(&source);
    float *const query = part_of(p.qkv, 40, c->all, 0, c->query, ATTEND_IN_OUT);
    float *const key = part_of(p.qkv, 40, c->all, c->query, c->key, ATTEND_IN_OUT);
    float *const value = part_of(p.qkv, 40, c->all, c->query + c->key, c->value, ATTEND_IN_OUT);
    source.query = query;
    source.key = key;
    source.value = value;
    source.output = p.output;
    source.query_bias = given & 1 ? p.qkv_bias : NULL;
    source.key_bias = given & 2 ? p.qkv_bias + c->query : NULL;
    source.value_bias = given & 4 ? p.qkv_bias + c->query + c->key : NULL;
    source.output_bias = given & 8 ? p.output_bias : NULL;
    for (size_t k = 0; k < count; k++) {
      AttendContext *context = engine_open(engines[k], 1);
      AttendWeights *weights = NULL;
      assert_ok(context, attend_pack_weights(context, &spec.shape, &source, &weights));
      guarded_free(run_layer(context, &p, weights, engines[k], (Form){ATTEND_IN_OUT, false}), "y");
      attend_free_weights(&weights);
      attend_close(&context);
    }
    free(query);
    free(key);
    free(value);
    layer_free(&p);
  }
}

static void no_tokens_do_nothing(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const LayerCase spec = {.shape = {32, 2, 2, 16, 16}, .batch = 1, .tokens = 1};
  LayerProblem problem = layer_new(&spec);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_form(context, &problem, (Form){ATTEND_IN_OUT, true});
    float *const y = guarded_new(32 * sizeof *y, 0);
    assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 0, problem.x, NULL, y));
    for (size_t e = 0; e < 32; e++) assert_true(is_untouched(y + e));
    assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 0, NULL, NULL, NULL));
    guarded_free(y, "y");
    attend_free_weights(&weights);
    attend_close(&context);
  }
  layer_free(&problem);
}

/* ---- the case computed by hand ---- */

static const float hand_x[] = {1, 1, 0, 1};
static const float hand_q[] = {3, -1, 1, 1};
static const float hand_k[] = {2, -2, 1, 3};
static const float hand_v[] = {2, -2, 0, 2};
static const float hand_o[] = {2, 0, 0, 1};

/* Q K^T is [[12, 4], [4, 4]], divided by sqrt(2) here; 0.9965... is 1 / (1 + exp(-8 / sqrt(2))). */
static const struct {
  const char *name;
  double data[4];
} hand_matrices[] = {
    {"query", {4, 0, 1, 1}},
    {"key", {3, 1, 1, 3}},
    {"value", {2, 0, 0, 2}},
    {"scores", {8.485281374238570, 2.828427124746190, 2.828427124746190, 2.828427124746190}},
    {"masked_scores", {8.485281374238570, 2.828427124746190, 2.828427124746190, 2.828427124746190}},
    {"weights", {0.99651867270, 0.00348132730, 0.5, 0.5}},
    {"context", {1.99303734541, 0.00696265459, 1, 1}},
    {"concat", {1.99303734541, 0.00696265459, 1, 1}},
    {"output", {3.98607469081, 0.00696265459, 2, 1}},
};

static AttendWeights *pack_hand_weights(AttendContext *context) {
  const AttendLayerShape shape = {2, 1, 1, 2, 2};
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = hand_q;
  source.key = hand_k;
  source.value = hand_v;
  source.output = hand_o;
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, &shape, &source, &weights));
  return weights;
}

static void check_hand_matrix(void *user, const AttendMatrix *matrix) {
  size_t *const next = user;
  assert_true(*next < COUNT_OF(hand_matrices));
  assert_string_equal(matrix->name, hand_matrices[*next].name);
  assert_int_equal(matrix->batch, 0);
  assert_int_equal(matrix->head, 0);
  assert_int_equal(matrix->rows, 2);
  assert_int_equal(matrix->columns, 2);
  for (size_t r = 0; r < 2; r++)
    for (size_t c = 0; c < 2; c++) {
      const double got = (double)matrix->data[r * matrix->row_stride + c];
      const double expected = hand_matrices[*next].data[2 * r + c];
      if (!(fabs(got - expected) <= 1e-6 * fmax(1.0, fabs(expected))))
        fail_msg("%s (%zu, %zu) is %.9g, expected %.9g", matrix->name, r, c, got, expected);
    }
  ++*next;
}

static void hand_computed_matrices(void **state) {
  (void)state;
  AttendContext *context = engine_open((Engine){ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO}, 2);
  AttendWeights *weights = pack_hand_weights(context);
  AttendOptions options;
  attend_default_options(&options);
  options.causal = false;
  size_t seen = 0;
  float y[4];
  assert_ok(context, attend_set_tap(context, check_hand_matrix, &seen));
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 2, hand_x, &options, y));
  assert_int_equal(seen, COUNT_OF(hand_matrices));
  assert_ok(context, attend_set_tap(context, NULL, NULL));
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 2, hand_x, &options, y));
  assert_int_equal(seen, COUNT_OF(hand_matrices));
  attend_free_weights(&weights);
  attend_close(&context);
}

/* With the causal mask the first token sees itself alone: its context is its value, [2, 0]. */
static void hand_computed_outputs(void **state) {
  (void)state;
  static const double expected[2][4] = {{4, 0, 2, 1}, {3.98607469081, 0.00696265459, 2, 1}};
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_hand_weights(context);
    for (size_t bidirectional = 0; bidirectional < 2; bidirectional++) {
      AttendOptions options;
      attend_default_options(&options);
      options.causal = !bidirectional;
      float y[4] = {NAN, NAN, NAN, NAN};
      assert_ok(context, attend_layer_forward(context, weights, NULL, 1, 2, hand_x, &options, y));
      for (size_t i = 0; i < 4; i++)
        if (!(fabs((double)y[i] - expected[bidirectional][i]) <= 4e-6))
          fail_msg("path=%s isa=%s causal=%d: y[%zu] is %.9g, expected %.9g",
                   attend_path_name(engines[k].path), attend_isa_name(engines[k].isa),
                   options.causal, i, (double)y[i], expected[bidirectional][i]);
    }
    attend_free_weights(&weights);
    attend_close(&context);
  }
}

/* ---- taps ---- */

typedef struct TapLog {
  const LayerProblem *problem;
  size_t calls;
  size_t calls_of_batch[2];
  const float *y;
} TapLog;

static const char *const head_names[] = {"query",         "key",     "value",  "scores",
                                         "masked_scores", "weights", "context"};

/* Which matrix the `call`th of a sequence must be, and its size. */
static void check_tap(void *user, const AttendMatrix *matrix) {
  TapLog *const log = user;
  const LayerCase *const c = &log->problem->spec;
  const AttendLayerShape *const s = &c->shape;
  assert_true(matrix->batch < c->batch);
  const size_t call = log->calls_of_batch[matrix->batch]++;
  const size_t of_heads = COUNT_OF(head_names) * s->query_heads;
  log->calls++;
  if (call >= of_heads) {
    const bool is_output = call > of_heads;
    assert_string_equal(matrix->name, is_output ? "output" : "concat");
    assert_int_equal(matrix->head, 0);
    assert_int_equal(matrix->rows, c->tokens);
    assert_int_equal(matrix->columns, is_output ? s->width : log->problem->columns.context);
    for (size_t r = 0; is_output && r < matrix->rows; r++)
      assert_memory_equal(matrix->data + r * matrix->row_stride,
                          log->y + (matrix->batch * c->tokens + r) * s->width,
                          s->width * sizeof(float));
    return;
  }
  const size_t name = call % COUNT_OF(head_names), head = call / COUNT_OF(head_names);
  const size_t group = s->query_heads / s->kv_heads;
  const size_t columns[] = {s->head_dim, s->head_dim, s->value_dim, c->tokens,
                            c->tokens,   c->tokens,   s->value_dim};
  assert_string_equal(matrix->name, head_names[name]);
  assert_int_equal(matrix->head, name == 1 || name == 2 ? head / group : head);
  assert_int_equal(matrix->rows, c->tokens);
  assert_int_equal(matrix->columns, columns[name]);
  for (size_t r = 0; name >= 4 && name <= 5 && r < matrix->rows; r++) {
    const float *const row = matrix->data + r * matrix->row_stride;
    double sum = 0.0;
    for (size_t j = 0; j < matrix->columns; j++) {
      if (j > r) assert_true(row[j] == (name == 4 ? -INFINITY : 0.0f));
      sum += (double)row[j];
    }
    if (name == 5) assert_true(fabs(sum - 1.0) < 1e-5);
  }
}

static void taps_see_every_matrix_in_order(void **state) {
  (void)state;
  const LayerCase spec = {.shape = {24, 4, 2, 6, 10}, .batch = 2, .tokens = 7};
  LayerProblem problem = layer_new(&spec);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_form(context, &problem, (Form){ATTEND_IN_OUT, true});
    float *const y = new_bytes(2 * 7 * 24 * sizeof *y);
    TapLog log = {.problem = &problem, .y = y};
    assert_ok(context, attend_set_tap(context, check_tap, &log));
    assert_ok(context, attend_layer_forward(context, weights, NULL, 2, 7, problem.x, NULL, y));
    assert_int_equal(log.calls, engines[k].path == ATTEND_PATH_NAIVE ? 2 * (7 * 4 + 2) : 0);
    free(y);
    attend_free_weights(&weights);
    attend_close(&context);
  }
  layer_free(&problem);
}

/* ---- contexts side by side ---- */

typedef struct Worker {
  const LayerProblem *problem;
  const AttendWeights *weights;
  Engine engine;
  AttendStatus status;
  float *y;
} Worker;

static void *run_worker(void *user) {
  Worker *const worker = user;
  const AttendSettings settings = engine_settings(worker->engine, 2);
  const LayerCase *const c = &worker->problem->spec;
  AttendContext *context = NULL;
  worker->status = attend_open(&context, &settings);
  for (int repeat = 0; worker->status == ATTEND_OK && repeat < 10; repeat++)
    worker->status = attend_layer_forward(context, worker->weights, NULL, c->batch, c->tokens,
                                          worker->problem->x, &worker->problem->options, worker->y);
  attend_close(&context);
  return NULL;
}

static void contexts_share_weights(void **state) {
  (void)state;
  enum { WORKERS = 4 };
  const LayerCase spec = {.shape = {128, 4, 2, 32, 32}, .batch = 1, .tokens = 70};
  LayerProblem problem = layer_new(&spec);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  AttendContext *context = engine_open(engines[0], 1);
  AttendWeights *weights = pack_form(context, &problem, (Form){ATTEND_IN_OUT, true});
  attend_close(&context);
  Worker workers[WORKERS];
  pthread_t threads[WORKERS];
  for (size_t w = 0; w < WORKERS; w++) {
    workers[w] = (Worker){&problem, weights, engines[w % count], ATTEND_OK, NULL};
    workers[w].y = guarded_new(70 * 128 * sizeof(float), 0);
  }
  for (size_t w = 0; w < WORKERS; w++)
    assert_int_equal(pthread_create(&threads[w], NULL, run_worker, &workers[w]), 0);
  for (size_t w = 0; w < WORKERS; w++) assert_int_equal(pthread_join(threads[w], NULL), 0);
  for (size_t w = 0; w < WORKERS; w++) {
    assert_int_equal(workers[w].status, ATTEND_OK);
    check_close("contexts side by side", workers[w].y, problem.y, 70 * 128);
    guarded_free(workers[w].y, "y");
  }
  attend_free_weights(&weights);
  layer_free(&problem);
}

/* ---- the oracle itself ---- */

/* The sampled rows of the oracle are those of its plain form, with and without past tokens. */
static void sampled_rows_of_the_oracle(void **state) {
  (void)state;
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    for (size_t variant = 0; variant < 8; variant++) {
      LayerCase spec = cases[c];
      spec.bidirectional = variant % 2 != 0;
      spec.no_bias = variant / 2 % 2 != 0;
      LayerProblem p = layer_new(&spec);
      const AttendLayerShape *const s = &spec.shape;
      OracleLayer oracle = oracle_of(&p);
      oracle.past = variant / 4 ? 13 : 0;
      float *const key = new_random(21, 1.0f, spec.batch * 13 * p.columns.key);
      float *const value = new_random(22, 1.0f, spec.batch * 13 * p.columns.value);
      oracle.past_key = (OracleView){key, 13 * p.columns.key, s->head_dim, 13 * s->head_dim};
      oracle.past_value = (OracleView){value, 13 * p.columns.value, p.columns.value, s->value_dim};
      assert_true(oracle_layer(&oracle, p.y));
      double *const row = new_bytes(s->width * sizeof *row);
      for (size_t i = 0; i < spec.batch * spec.tokens; i += 1 + spec.tokens / 3) {
        assert_true(oracle_layer_row(&oracle, i / spec.tokens, i % spec.tokens, row));
        for (size_t e = 0; e < s->width; e++)
          if (!(fabs(row[e] - p.y[i * s->width + e]) <= 1e-12))
            fail_msg("case %zu variant %zu row %zu column %zu is %.17g, expected %.17g", c, variant,
                     i, e, row[e], p.y[i * s->width + e]);
      }
      free(row);
      free(key);
      free(value);
      layer_free(&p);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sampled_rows_of_the_oracle),
      cmocka_unit_test(hand_computed_matrices),
      cmocka_unit_test(hand_computed_outputs),
      cmocka_unit_test(layers_match_the_oracle),
      cmocka_unit_test(query_start_without_a_cache),
      cmocka_unit_test(every_form_of_the_weights),
      cmocka_unit_test(single_biases),
      cmocka_unit_test(no_tokens_do_nothing),
      cmocka_unit_test(taps_see_every_matrix_in_order),
      cmocka_unit_test(contexts_share_weights),
  };
  return cmocka_run_group_tests_name("layer", tests, NULL, NULL);
}
