/* test_layer.c - the whole layer: projections, heads, core and output, on every path, by the
 * oracle. */
#include "tests/support/layer_problem.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void check_layer(const LayerCase *spec, Form form) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  LayerProblem problem = layer_problem_new(spec);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    AttendWeights *weights = pack_form(context, &problem, form);
    guarded_free(run_layer(context, &problem, weights, engines[k], form), "y");
    attend_free_weights(&weights);
    assert_null(weights);
    attend_close(&context);
  }
  layer_problem_free(&problem);
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
    LayerProblem problem = layer_problem_new(&spec);
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
    layer_problem_free(&problem);
  }
}

/* Each bias is optional by itself: leaving one out is the same as zeros in its part. */
static void single_biases(void **state) {
  (void)state;
  const LayerCase spec = {.shape = {40, 4, 2, 10, 14}, .batch = 1, .tokens = 11};
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t given = 0; given < 16; given++) {
    LayerProblem p = layer_problem_new(&spec);
    const Columns *const c = &p.columns;
    if (!(given & 1)) memset(p.qkv_bias, 0, c->query * sizeof(float));
    if (!(given & 2)) memset(p.qkv_bias + c->query, 0, c->key * sizeof(float));
    if (!(given & 4)) memset(p.qkv_bias + c->query + c->key, 0, c->value * sizeof(float));
    if (!(given & 8)) memset(p.output_bias, 0, 40 * sizeof(float));
    const OracleLayer oracle = layer_problem_oracle(&p);
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
    layer_problem_free(&p);
  }
}

static void no_tokens_do_nothing(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const LayerCase spec = {.shape = {32, 2, 2, 16, 16}, .batch = 1, .tokens = 1};
  LayerProblem problem = layer_problem_new(&spec);
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
  layer_problem_free(&problem);
}

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
  LayerProblem problem = layer_problem_new(&spec);
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
  layer_problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layers_match_the_oracle),   cmocka_unit_test(query_start_without_a_cache),
      cmocka_unit_test(every_form_of_the_weights), cmocka_unit_test(single_biases),
      cmocka_unit_test(no_tokens_do_nothing),      cmocka_unit_test(contexts_share_weights),
  };
  return cmocka_run_group_tests_name("layer", tests, NULL, NULL);
}
