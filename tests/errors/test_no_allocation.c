/* test_no_allocation.c - a call whose workspace is sized allocates nothing.
 *
 * Every allocation of the library and of this program is counted (allocation_hook.h). OpenBLAS and
 * OpenMP are libraries of their own: what they allocate for their threads and buffers is theirs and
 * not seen. No more than 16 rows go through the layer, so that its projections are kernels of this
 * library and OpenBLAS has no part in the tiled path.
 */
#include "tests/support/allocation_hook.h"
#include "tests/support/core_problem.h"
#include "tests/support/full_layer.h"
#include "tests/support/layer_problem.h"

#include <stdlib.h>

static void require_allocations(const char *what, Engine engine, size_t before, size_t expected) {
  const size_t made = hook_made() - before;
  if (made != expected)
    fail_msg("%s on path=%s isa=%s: %zu allocations, expected %zu", what,
             attend_path_name(engine.path), attend_isa_name(engine.isa), made, expected);
}

/* ---- core ---- */

/* Prefill, decode with keys split over threads, decode without, a short chunk, no visible key. */
static const CoreCase core_cases[] = {
    {.shape = {1, 200, 200, 4, 2, 32, 32}},
    {.shape = {1, 1, 3000, 4, 1, 32, 32}, .q_start = 2999},
    {.shape = {4, 1, 3000, 4, 4, 16, 16}, .q_start = 2999},
    {.shape = {1, 9, 2500, 7, 1, 16, 24}, .q_start = 2491},
    {.shape = {2, 5, 40, 2, 2, 8, 8}, .q_start = -9},
};

/* Memory and views of a core call's output. */
typedef struct Output {
  float *data, *lse;
  AttendOutputView view;
} Output;

static Output output_new(const AttendShape *s) {
  Output out = {
      .data = new_bytes(s->batch * s->query_tokens * s->query_heads * s->value_dim * sizeof(float)),
      .lse = new_bytes(s->batch * s->query_tokens * s->query_heads * sizeof(float))};
  out.view = attend_output_bnhd(out.data, s->query_tokens, s->query_heads, s->value_dim);
  return out;
}

static void output_free(Output *out) {
  free(out->data);
  free(out->lse);
}

static AttendStatus run_core(AttendContext *context, const CoreProblem *p, const Output *out) {
  return attend_core_forward(context, &p->spec.shape, p->query, p->key, p->value, &p->options,
                             out->view, out->lse);
}

static size_t core_bytes(AttendContext *context, const CoreProblem *problem) {
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, &problem->spec.shape, &problem->options, &plan));
  return plan.workspace_bytes;
}

static void for_each_core_case(void (*check)(const CoreProblem *problem, const Output *out,
                                             Engine engine, size_t threads)) {
  Engine engines[MAX_ENGINES + MAX_TILED_ENGINES];
  size_t count = list_engines(engines);
  count += list_tiled_engines(engines + count);
  for (size_t c = 0; c < COUNT_OF(core_cases); c++) {
    CoreProblem problem = problem_new(&core_cases[c]);
    Output out = output_new(&problem.spec.shape);
    for (size_t k = 0; k < count; k++)
      for (size_t threads = 1; threads <= 3; threads++) check(&problem, &out, engines[k], threads);
    output_free(&out);
    problem_free(&problem);
  }
}

/* A call that finds no workspace makes one: an allocation is seen where there is one. */
static void check_unsized_core(const CoreProblem *problem, const Output *out, Engine engine,
                               size_t threads) {
  AttendContext *context = engine_open(engine, threads);
  const size_t before = hook_made();
  assert_ok(context, run_core(context, problem, out));
  require_allocations("the first call", engine, before, 1);
  assert_ok(context, run_core(context, problem, out));
  require_allocations("the second call", engine, before, 1);
  attend_close(&context);
}

static void an_unsized_core_call_allocates_once(void **state) {
  (void)state;
  for_each_core_case(check_unsized_core);
}

static void check_reserved_core(const CoreProblem *problem, const Output *out, Engine engine,
                                size_t threads) {
  AttendContext *context = engine_open(engine, threads);
  assert_ok(context, attend_reserve_workspace(context, core_bytes(context, problem)));
  const size_t before = hook_made();
  for (size_t call = 0; call < 3; call++) assert_ok(context, run_core(context, problem, out));
  require_allocations("after attend_reserve_workspace()", engine, before, 0);
  attend_close(&context);
}

static void a_reserved_core_call_allocates_nothing(void **state) {
  (void)state;
  for_each_core_case(check_reserved_core);
}

static void check_supplied_core(const CoreProblem *problem, const Output *out, Engine engine,
                                size_t threads) {
  AttendContext *context = engine_open(engine, threads);
  const size_t bytes = core_bytes(context, problem);
  void *const memory = new_bytes(bytes);
  const size_t before = hook_made();
  assert_ok(context, attend_set_workspace(context, memory, bytes));
  assert_ok(context, run_core(context, problem, out));
  require_allocations("in a supplied workspace", engine, before, 0);
  attend_close(&context);
  free(memory);
}

static void a_core_call_in_a_supplied_workspace_allocates_nothing(void **state) {
  (void)state;
  for_each_core_case(check_supplied_core);
}

/* ---- layer ---- */

static size_t layer_bytes(AttendContext *context, const LayerProblem *p, size_t past, bool cached) {
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_layer(context, &p->spec.shape, p->spec.batch, p->spec.tokens, past,
                                       cached, NULL, &plan));
  return plan.workspace_bytes;
}

/* Tokens on their own, then a prompt and a decode step into a cache that has room, profiled. */
static void check_layer(const LayerProblem *p, Engine engine, float *y) {
  enum { CAPACITY = 40 };
  const LayerCase *const c = &p->spec;
  AttendSettings settings = engine_settings(engine, 2);
  settings.profile = true;
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  AttendWeights *weights = pack_form(context, p, (Form){ATTEND_IN_OUT, true});
  AttendCache *cache = cache_open(context, &c->shape, c->batch, CAPACITY);
  const size_t past = CAPACITY - c->tokens;
  assert_ok(context, attend_reserve_workspace(context, layer_bytes(context, p, 0, false)));
  assert_ok(context, attend_reserve_workspace(context, layer_bytes(context, p, past, true)));

  const size_t before = hook_made();
  assert_ok(context,
            attend_layer_forward(context, weights, NULL, c->batch, c->tokens, p->x, NULL, y));
  while (attend_cache_length(cache, 0) + c->tokens <= CAPACITY)
    assert_ok(context,
              attend_layer_forward(context, weights, cache, c->batch, c->tokens, p->x, NULL, y));
  require_allocations("a layer", engine, before, 0);
  assert_true(attend_cache_length(cache, 0) > past);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
}

static void a_reserved_layer_call_allocates_nothing(void **state) {
  (void)state;
  static const LayerCase layers[] = {
      {.shape = {64, 4, 2, 16, 16}, .batch = 1, .tokens = 1},
      {.shape = {64, 4, 2, 16, 16}, .batch = 1, .tokens = 16},
      {.shape = {100, 7, 1, 8, 20}, .batch = 3, .tokens = 5, .no_bias = true},
  };
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < COUNT_OF(layers); k++) {
    LayerProblem problem = layer_problem_new(&layers[k]);
    float *const y =
        new_bytes(layers[k].batch * layers[k].tokens * layers[k].shape.width * sizeof *y);
    for (size_t e = 0; e < count; e++) check_layer(&problem, engines[e], y);
    free(y);
    layer_problem_free(&problem);
  }
}

/* Precisions of bf16 and weights in terms: any number of rows, because BLAS has no part in
 * them. */
static void check_precise_layer(const LayerProblem *p, const AttendSettings *settings,
                                AttendStorage storage, float *y) {
  const LayerCase *const c = &p->spec;
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.qkv = p->qkv;
  source.qkv_bias = p->qkv_bias;
  source.output = p->output;
  source.storage = storage;
  assert_ok(context, attend_open(&context, settings));
  assert_ok(context, attend_pack_weights(context, &c->shape, &source, &weights));
  const size_t bytes = layer_bytes(context, p, 0, false);
  void *const memory = guarded_new(bytes, 4);
  assert_ok(context, attend_set_workspace(context, memory, bytes));
  const size_t before = hook_made();
  for (size_t call = 0; call < 2; call++)
    assert_ok(context,
              attend_layer_forward(context, weights, NULL, c->batch, c->tokens, p->x, NULL, y));
  require_allocations(attend_storage_name(storage),
                      (Engine){settings->path, settings->isa, settings->precision}, before, 0);
  assert_ok(context, attend_set_workspace(context, NULL, 0));
  guarded_free(memory, "workspace");
  attend_free_weights(&weights);
  attend_close(&context);
}

static void a_layer_in_bf16_stays_in_its_workspace(void **state) {
  (void)state;
  static const LayerCase layers[] = {
      {.shape = {64, 4, 2, 16, 16}, .batch = 1, .tokens = 1},
      {.shape = {100, 7, 1, 8, 20}, .batch = 3, .tokens = 5, .no_bias = true},
      {.shape = {600, 4, 2, 16, 16}, .batch = 1, .tokens = 300},
  };
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t k = 0; k < COUNT_OF(layers); k++) {
    LayerProblem problem = layer_problem_new(&layers[k]);
    const LayerCase *const c = &layers[k];
    float *const y = new_bytes(c->batch * c->tokens * c->shape.width * sizeof *y);
    for (size_t e = 0; e < count; e++)
      for (int precision = 0; precision < ATTEND_PRECISION_COUNT; precision++)
        for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
          const AttendSettings settings =
              engine_settings((Engine){ATTEND_PATH_TILED, isas[e], (AttendPrecision)precision}, 2);
          check_precise_layer(&problem, &settings, (AttendStorage)storage, y);
        }
    free(y);
    layer_problem_free(&problem);
  }
}

/* Norms, RoPE, windows and sinks, in a ragged batch over a cache: chunks and a single token. */
static void check_full_layer(const FullLayer *layer, Engine engine) {
  enum { ROWS = 16, CALLS = 5 };
  static const size_t offsets[] = {0, 1, 6, ROWS}, slots[] = {2, 0, 3};
  AttendContext *context = engine_open(engine, 2);
  AttendWeights *weights = full_layer_pack(context, layer);
  AttendCache *cache = cache_open(context, &layer->spec.shape, 4, CALLS * ROWS);
  float *const x = new_random(1, 1.0f, ROWS * layer->spec.shape.width);
  float *const y = new_bytes(ROWS * layer->spec.shape.width * sizeof *y);
  AttendOptions options = layer->options;
  options.query_offsets = offsets;
  options.cache_sequences = slots;
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_layer(context, &layer->spec.shape, 3, ROWS, CALLS * ROWS, true,
                                       &options, &plan));
  assert_ok(context, attend_reserve_workspace(context, plan.workspace_bytes));
  const size_t before = hook_made();
  for (size_t call = 0; call < CALLS; call++)
    assert_ok(context, attend_layer_forward(context, weights, cache, 3, ROWS, x, &options, y));
  require_allocations(layer->spec.name, engine, before, 0);
  free(x);
  free(y);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
}

static void layers_of_published_models_allocate_nothing(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    for (size_t e = 0; e < count; e++) check_full_layer(&layer, engines[e]);
    full_layer_free(&layer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_unsized_core_call_allocates_once),
      cmocka_unit_test(a_reserved_core_call_allocates_nothing),
      cmocka_unit_test(a_core_call_in_a_supplied_workspace_allocates_nothing),
      cmocka_unit_test(a_reserved_layer_call_allocates_nothing),
      cmocka_unit_test(a_layer_in_bf16_stays_in_its_workspace),
      cmocka_unit_test(layers_of_published_models_allocate_nothing),
  };
  return cmocka_run_group_tests_name("no_allocation", tests, NULL, NULL);
}
