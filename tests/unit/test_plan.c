/* test_plan.c - what a call says of itself beforehand: its path, the reasons, and the bytes it
 * takes.
 *
 * A plan is a promise, so it is held against the call that follows: the same path, the bytes that
 * are exactly enough, the work that is counted. FLOPs are counted here pair by pair.
 */
#include "tests/support/core_check.h"

#include <stdlib.h>
#include <string.h>

static const CoreCase cases[] = {
    {.shape = {1, 70, 90, 4, 2, 24, 40}, .q_start = 20},
    {.shape = {2, 1, 2600, 2, 1, 16, 16}, .q_start = 2599},
    {.shape = {1, 300, 300, 2, 2, 64, 64}},
    {.shape = {1, 300, 100, 2, 2, 8, 8}, .q_start = -120},
    {.shape = {3, 40, 60, 6, 3, 16, 16}, .bidirectional = true},
    {.shape = {1, 3, 3, 1, 1, 1, 1}},
    {.shape = {2, 0, 9, 1, 1, 4, 4}},
    {.shape = {2, 9, 0, 1, 1, 4, 4}},
};

static AttendOptions options_of(const CoreCase *spec) {
  AttendOptions options;
  attend_default_options(&options);
  options.causal = !spec->bidirectional;
  options.q_start = spec->q_start;
  return options;
}

static double count_pairs(const CoreCase *spec) {
  double pairs = 0.0;
  for (size_t i = 0; i < spec->shape.query_tokens; i++)
    for (size_t j = 0; j < spec->shape.key_tokens; j++)
      if (spec->bidirectional || (int64_t)j <= spec->q_start + (int64_t)i) pairs += 1.0;
  return pairs * (double)spec->shape.batch * (double)spec->shape.query_heads;
}

/* ---- plans ---- */

static void check_plan(const AttendPlan *plan, AttendPath path, const CoreCase *spec) {
  assert_int_equal(plan->path, path);
  assert_int_equal(plan->verdicts[path].status, ATTEND_OK);
  assert_true(plan->threads >= 1 && plan->threads <= 3);
  assert_true(plan->workspace_bytes >= plan->verdicts[path].workspace_bytes);
  assert_true(plan->projection_flops == 0.0);
  const double flops =
      2.0 * (double)(spec->shape.head_dim + spec->shape.value_dim) * count_pairs(spec);
  if (plan->core_flops != flops)
    fail_msg("path=%s Nq=%zu Nk=%zu: core_flops is %.17g, expected %.17g", attend_path_name(path),
             spec->shape.query_tokens, spec->shape.key_tokens, plan->core_flops, flops);
  for (int p = ATTEND_PATH_TILED; p < ATTEND_PATH_COUNT; p++) {
    assert_true(strlen(plan->verdicts[p].reason) > 10);
    assert_true(plan->verdicts[p].score_bytes <= plan->verdicts[p].workspace_bytes);
  }
  assert_int_equal(plan->verdicts[ATTEND_PATH_TILED].score_bytes, 0);
  if (path == ATTEND_PATH_TILED)
    assert_true(plan->query_tile >= 1 && plan->key_tile >= 1);
  else
    assert_int_equal(plan->query_tile + plan->key_tile, 0);
}

static void plans_name_the_path_asked_for(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES + MAX_TILED_ENGINES];
  size_t count = list_engines(engines);
  count += list_tiled_engines(engines + count);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 3);
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
      const AttendOptions options = options_of(&cases[c]);
      AttendPlan plan = {.struct_size = sizeof plan};
      assert_ok(context, attend_plan_core(context, &cases[c].shape, &options, &plan));
      check_plan(&plan, engines[k].path, &cases[c]);
      assert_int_equal(plan.isa, engines[k].isa);
      assert_int_equal(plan.precision, engines[k].precision);
    }
    attend_close(&context);
  }
}

/* Left to choose, the library takes the tiled path, also where the others would be too large. */
static void the_choice_is_explained(void **state) {
  (void)state;
  for (size_t limit = 0; limit < 2; limit++) {
    AttendSettings settings =
        engine_settings((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
    if (limit) settings.score_memory_limit_bytes = 1;
    AttendContext *context = NULL;
    assert_ok(context, attend_open(&context, &settings));
    for (size_t c = 0; c < 6; c++) {
      const AttendOptions options = options_of(&cases[c]);
      AttendPlan plan = {.struct_size = sizeof plan};
      assert_ok(context, attend_plan_core(context, &cases[c].shape, &options, &plan));
      check_plan(&plan, ATTEND_PATH_TILED, &cases[c]);
      const AttendStatus others = limit ? ATTEND_STATUS_MEMORY_LIMIT : ATTEND_OK;
      assert_int_equal(plan.verdicts[ATTEND_PATH_BLAS].status, others);
      assert_int_equal(plan.verdicts[ATTEND_PATH_NAIVE].status, others);
    }
    attend_close(&context);
  }
}

static void layer_plans(void **state) {
  (void)state;
  static const struct {
    AttendLayerShape shape;
    size_t batch, tokens, past;
  } layers[] = {
      {{64, 4, 2, 16, 16}, 1, 33, 0},    {{100, 6, 3, 8, 20}, 2, 1, 70},
      {{896, 14, 2, 64, 64}, 1, 128, 0}, {{4096, 32, 32, 128, 128}, 1, 1, 2047},
      {{64, 4, 2, 16, 16}, 1, 0, 5},
  };
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    for (size_t l = 0; l < COUNT_OF(layers); l++) {
      const AttendLayerShape *const s = &layers[l].shape;
      const size_t rows = layers[l].batch * layers[l].tokens, past = layers[l].past;
      const size_t columns =
          (s->query_heads + s->kv_heads) * s->head_dim + s->kv_heads * s->value_dim;
      AttendPlan plan = {.struct_size = sizeof plan}, core = {.struct_size = sizeof core};
      assert_ok(context, attend_plan_layer(context, s, layers[l].batch, layers[l].tokens, past,
                                           past > 0, NULL, &plan));
      const CoreCase spec = {.shape = {layers[l].batch, layers[l].tokens, past + layers[l].tokens,
                                       s->query_heads, s->kv_heads, s->head_dim, s->value_dim},
                             .q_start = (int64_t)past};
      const AttendOptions options = options_of(&spec);
      assert_ok(context, attend_plan_core(context, &spec.shape, &options, &core));
      assert_int_equal(plan.path, engines[k].path);
      assert_true(plan.core_flops == core.core_flops);
      assert_true(plan.projection_flops == 2.0 * (double)(rows * s->width) *
                                               (double)(columns + s->query_heads * s->value_dim));
      assert_true(plan.workspace_bytes >= core.workspace_bytes);
    }
    attend_close(&context);
  }
}

static void plans_that_are_refused(void **state) {
  (void)state;
  AttendContext *context = auto_open(1);
  const AttendShape right = {1, 8, 8, 2, 2, 8, 8}, empty = {1, 8, 8, 2, 2, 0, 8},
                    uneven = {1, 8, 8, 3, 2, 8, 8}, huge = {1, SIZE_MAX / 2, 8, 2, 2, 8, 8};
  const AttendLayerShape layer = {16, 2, 2, 8, 8}, bad_layer = {16, 2, 2, 0, 8};
  AttendPlan plan = {.struct_size = sizeof plan}, unset = {.struct_size = 12};
  AttendOptions options;
  attend_default_options(&options);
  require_refusal(context, attend_plan_core(context, NULL, NULL, &plan), ATTEND_STATUS_NULL_POINTER,
                  "shape", "no shape");
  require_refusal(context, attend_plan_core(context, &right, NULL, NULL),
                  ATTEND_STATUS_NULL_POINTER, "plan", "no plan");
  require_refusal(context, attend_plan_core(context, &right, NULL, &unset),
                  ATTEND_STATUS_BAD_OPTION, "12", "a plan without its size");
  require_refusal(context, attend_plan_core(context, &empty, NULL, &plan), ATTEND_STATUS_BAD_SIZE,
                  "head_dim", "no dimension");
  require_refusal(context, attend_plan_core(context, &uneven, NULL, &plan), ATTEND_STATUS_BAD_HEADS,
                  "3", "uneven heads");
  require_refusal(context, attend_plan_core(context, &huge, NULL, &plan), ATTEND_STATUS_OVERFLOW,
                  "9223372036854775807", "too many tokens");
  require_refusal(context, attend_plan_layer(context, NULL, 1, 1, 0, false, NULL, &plan),
                  ATTEND_STATUS_NULL_POINTER, "shape", "no layer shape");
  require_refusal(context, attend_plan_layer(context, &layer, 1, 1, 0, false, NULL, NULL),
                  ATTEND_STATUS_NULL_POINTER, "plan", "no layer plan");
  require_refusal(context, attend_plan_layer(context, &layer, 1, 1, 0, false, NULL, &unset),
                  ATTEND_STATUS_BAD_OPTION, "12", "a layer plan without its size");
  require_refusal(context, attend_plan_layer(context, &bad_layer, 1, 1, 0, false, NULL, &plan),
                  ATTEND_STATUS_BAD_SIZE, "head_dim", "a layer without dimension");
  require_refusal(context, attend_plan_layer(context, &layer, 0, 1, 0, false, NULL, &plan),
                  ATTEND_STATUS_BAD_SIZE, "batch", "no batch");
  require_refusal(context,
                  attend_plan_layer(context, &layer, 1, 5, SIZE_MAX - 3, true, NULL, &plan),
                  ATTEND_STATUS_OVERFLOW, "18446744073709551612", "a past without end");
  options.q_start = 31;
  require_refusal(context, attend_plan_layer(context, &layer, 1, 1, 4, true, &options, &plan),
                  ATTEND_STATUS_BAD_OPTION, "31", "q_start and a cache");
  attend_close(&context);
}

/* As snprintf: the whole length is returned, what fits is written and terminated. */
static void descriptions_fit_any_buffer(void **state) {
  (void)state;
  AttendContext *context = auto_open(2);
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, &cases[0].shape, NULL, &plan));
  const size_t length = attend_describe_plan(&plan, NULL, 0);
  char *const whole = new_bytes(length + 1);
  assert_int_equal(attend_describe_plan(&plan, whole, length + 1), length);
  assert_int_equal(strlen(whole), length);
  assert_non_null(strstr(whole, attend_path_name(plan.path)));
  assert_non_null(strstr(whole, attend_isa_name(plan.isa)));
  for (int p = ATTEND_PATH_TILED; p < ATTEND_PATH_COUNT; p++) {
    assert_non_null(strstr(whole, attend_path_name((AttendPath)p)));
    assert_non_null(strstr(whole, plan.verdicts[p].reason));
  }
  for (size_t size = 1; size <= length + 2; size++) {
    char *const part = guarded_new(size, 3);
    assert_int_equal(attend_describe_plan(&plan, part, size), length);
    const size_t written = size <= length ? size - 1 : length;
    assert_int_equal(strlen(part), written);
    assert_memory_equal(part, whole, written);
    guarded_free(part, "text");
  }
  free(whole);
  attend_close(&context);
}

/* Work is written in the unit that suits its size: a handout's as well as a model's. */
static void work_has_a_unit_that_suits(void **state) {
  (void)state;
  static const struct {
    double flops;
    const char *text;
  } cases[] = {{0, "core 0 FLOP\n"},          {32, "core 32 FLOP\n"},
               {336, "core 336 FLOP\n"},      {4608, "core 4.608 kFLOP\n"},
               {999.96e3, "core 1 MFLOP\n"},  {1836e5, "core 183.6 MFLOP\n"},
               {4.57e9, "core 4.57 GFLOP\n"}, {8.796e12, "core 8.796 TFLOP\n"},
               {5e15, "core 5000 TFLOP\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const AttendPlan plan = {.struct_size = sizeof plan, .core_flops = cases[i].flops};
    char text[2048];
    assert_true(attend_describe_plan(&plan, text, sizeof text) < sizeof text);
    if (!strstr(text, cases[i].text)) fail_msg("%s is missing in %s", cases[i].text, text);
  }
}

/* ---- memory ---- */

/* Under a limit of one byte less than its score matrices take the path refuses, with both
 * numbers. */
static void check_limit_refusal(AttendContext *context, const CoreProblem *problem, AttendPath path,
                                size_t needed) {
  const AttendShape *const s = &problem->spec.shape;
  char text[NUMBER_SIZE];
  AttendPlan plan = {.struct_size = sizeof plan};
  const size_t floats = s->query_tokens * s->query_heads * s->value_dim;
  float *const out = guarded_new(floats * sizeof *out, 0);
  require_refusal(context,
                  attend_core_forward(
                      context, s, problem->query, problem->key, problem->value, &problem->options,
                      attend_output_bnhd(out, s->query_tokens, s->query_heads, s->value_dim), NULL),
                  ATTEND_STATUS_MEMORY_LIMIT, number(text, needed), "the bytes needed");
  assert_non_null(strstr(attend_get_error(context), number(text, needed - 1)));
  for (size_t i = 0; i < floats; i++) assert_true(is_untouched(out + i));
  guarded_free(out, "out");
  require_refusal(context, attend_plan_core(context, s, &problem->options, &plan),
                  ATTEND_STATUS_MEMORY_LIMIT, number(text, needed), "the plan");
  assert_int_equal(plan.verdicts[path].status, ATTEND_STATUS_MEMORY_LIMIT);
  assert_int_equal(plan.verdicts[path].score_bytes, needed);
  assert_non_null(strstr(plan.verdicts[path].reason, number(text, needed)));
}

static void memory_limits(void **state) {
  (void)state;
  static const AttendPath paths[] = {ATTEND_PATH_BLAS, ATTEND_PATH_NAIVE};
  const CoreCase spec = {.shape = {1, 100, 120, 4, 2, 16, 16}, .q_start = 20};
  CoreProblem problem = problem_new(&spec);
  problem_expect(&problem);
  for (size_t k = 0; k < COUNT_OF(paths); k++) {
    const Engine engine = {paths[k], ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32};
    const AttendPlan plan = plan_of(engine, &spec.shape, &problem.options);
    const size_t needed = plan.verdicts[paths[k]].score_bytes;
    assert_true(needed >= 100 * 120 * sizeof(float));
    AttendSettings settings = engine_settings(engine, 1);
    AttendContext *context = NULL;
    settings.score_memory_limit_bytes = needed;
    assert_ok(context, attend_open(&context, &settings));
    problem_check(&problem, context, engine, 1);
    attend_close(&context);
    settings.score_memory_limit_bytes = needed - 1;
    assert_ok(context, attend_open(&context, &settings));
    check_limit_refusal(context, &problem, paths[k], needed);
    attend_close(&context);
  }
  problem_free(&problem);
}

/* Exactly the bytes of the plan, at whatever address, are enough; one less is not. */
static void check_workspace(AttendContext *context, const CoreProblem *problem, Engine engine,
                            size_t bytes, size_t offset) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t floats = s->batch * s->query_tokens * s->query_heads * s->value_dim;
  char text[NUMBER_SIZE];
  void *const workspace = guarded_new(bytes, offset);
  float *const out = guarded_new(floats * sizeof *out, 0);
  assert_ok(context, attend_set_workspace(context, workspace, bytes - 1));
  require_refusal(context,
                  attend_core_forward(
                      context, s, problem->query, problem->key, problem->value, &problem->options,
                      attend_output_bnhd(out, s->query_tokens, s->query_heads, s->value_dim), NULL),
                  ATTEND_STATUS_WORKSPACE_TOO_SMALL, number(text, bytes - 1), "a byte less");
  for (size_t i = 0; i < floats; i++) assert_true(is_untouched(out + i));
  guarded_free(out, "out");
  assert_ok(context, attend_set_workspace(context, workspace, bytes));
  problem_check(problem, context, engine, 2);
  guarded_check(workspace, "workspace");
  assert_ok(context, attend_set_workspace(context, NULL, 0));
  problem_check(problem, context, engine, 2);
  guarded_free(workspace, "workspace");
}

static void planned_bytes_are_enough(void **state) {
  (void)state;
  static const size_t offsets[] = {0, 1, 7, 33, 63};
  Engine engines[MAX_ENGINES + MAX_TILED_ENGINES];
  size_t count = list_engines(engines);
  count += list_tiled_engines(engines + count);
  for (size_t c = 0; c < 6; c++) {
    CoreProblem problem = problem_new(&cases[c]);
    for (size_t k = 0; k < count; k++) {
      problem.precision = engines[k].precision;
      problem_expect(&problem);
      for (size_t threads = 1; threads <= 3; threads++) {
        AttendContext *context = engine_open(engines[k], threads);
        AttendPlan plan = {.struct_size = sizeof plan};
        assert_ok(context, attend_plan_core(context, &cases[c].shape, &problem.options, &plan));
        for (size_t o = 0; o < COUNT_OF(offsets); o++)
          check_workspace(context, &problem, engines[k], plan.workspace_bytes, offsets[o]);
        attend_close(&context);
      }
    }
    problem_free(&problem);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(work_has_a_unit_that_suits),
      cmocka_unit_test(plans_name_the_path_asked_for),
      cmocka_unit_test(the_choice_is_explained),
      cmocka_unit_test(layer_plans),
      cmocka_unit_test(plans_that_are_refused),
      cmocka_unit_test(descriptions_fit_any_buffer),
      cmocka_unit_test(memory_limits),
      cmocka_unit_test(planned_bytes_are_enough),
  };
  return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
