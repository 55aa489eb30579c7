/* test_errors_context.c - contexts and their memory: settings that are refused, missing instruction
 * sets, workspaces that do not fit, and calls without a context.
 */
#include "tests/support/core_check.h"

static void workspace_calls(void **state) {
  (void)state;
  const CoreCase spec = {.shape = {1, 40, 40, 2, 1, 16, 16}};
  CoreProblem problem = problem_new(&spec);
  problem_expect(&problem);
  const Engine engine = {ATTEND_PATH_TILED, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32};
  AttendContext *context = engine_open(engine, 2);
  char memory[100];
  assert_int_equal(attend_set_workspace(NULL, memory, sizeof memory), ATTEND_STATUS_NULL_POINTER);
  require_refusal(context, attend_set_workspace(context, NULL, 4711), ATTEND_STATUS_NULL_POINTER,
                  "4711", "bytes of nothing");
  assert_int_equal(attend_reserve_workspace(NULL, 10), ATTEND_STATUS_NULL_POINTER);
  assert_ok(context, attend_set_workspace(context, memory, sizeof memory));
  assert_ok(context, attend_reserve_workspace(context, sizeof memory));
  require_refusal(context, attend_reserve_workspace(context, 101),
                  ATTEND_STATUS_WORKSPACE_TOO_SMALL, "100", "a reserve beyond what was supplied");
  assert_ok(context, attend_set_workspace(context, NULL, 0));
  assert_ok(context, attend_reserve_workspace(context, 1 << 20));
  require_refusal(context, attend_reserve_workspace(context, SIZE_MAX / 2),
                  ATTEND_STATUS_OUT_OF_MEMORY, "9223372036854775807", "a reserve of everything");
  problem_check(&problem, context, engine, 2);
  assert_ok(context, attend_reserve_workspace(context, 0));
  attend_close(&context);
  problem_free(&problem);
}

static void settings_out_of_range(void **state) {
  (void)state;
  AttendSettings broken[7];
  for (size_t k = 0; k < COUNT_OF(broken); k++) attend_default_settings(&broken[k]);
  broken[0].struct_size = 0;
  broken[1].struct_size += 8;
  broken[2].threads = 1025;
  broken[3].threads = SIZE_MAX;
  broken[4].isa = (AttendIsa)ATTEND_ISA_COUNT;
  broken[5].path = (AttendPath)ATTEND_PATH_COUNT;
  broken[6].path = (AttendPath)-1;
  for (size_t k = 0; k < COUNT_OF(broken); k++) {
    AttendContext *context = (AttendContext *)(void *)&broken;
    assert_int_equal(attend_open(&context, &broken[k]), ATTEND_STATUS_BAD_OPTION);
    assert_null(context);
  }
  assert_int_equal(attend_open(NULL, NULL), ATTEND_STATUS_NULL_POINTER);
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, NULL));
  attend_close(&context);
  assert_null(context);
  attend_close(&context);
  attend_close(NULL);
  attend_default_settings(&broken[0]);
  broken[0].threads = 1024;
  assert_ok(context, attend_open(&context, &broken[0]));
  attend_close(&context);
}

/* Asking for a missing ISA is an error; asking for a usable one gives that one. */
static void isas_are_not_replaced(void **state) {
  (void)state;
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    const AttendSettings settings =
        engine_settings((Engine){ATTEND_PATH_TILED, (AttendIsa)isa, ATTEND_PRECISION_FP32}, 1);
    AttendContext *context = NULL;
    const AttendStatus status = attend_open(&context, &settings);
    if (!machine.isa_usable[isa]) {
      assert_int_equal(status, ATTEND_STATUS_ISA_UNAVAILABLE);
      assert_null(context);
      continue;
    }
    assert_int_equal(status, ATTEND_OK);
    const AttendShape shape = {1, 8, 8, 1, 1, 8, 8};
    AttendPlan plan = {.struct_size = sizeof plan};
    assert_ok(context, attend_plan_core(context, &shape, NULL, &plan));
    assert_int_equal(plan.isa, isa);
    attend_close(&context);
  }
}

static void null_contexts(void **state) {
  (void)state;
  const AttendShape shape = {1, 8, 8, 1, 1, 8, 8};
  const AttendLayerShape layer = {8, 1, 1, 8, 8};
  const AttendView view = {0};
  const AttendOutputView out = {0};
  AttendPlan plan = {.struct_size = sizeof plan};
  AttendProfile profile;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  AttendWeights *weights = (AttendWeights *)(void *)&plan;
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  AttendCache *cache = (AttendCache *)(void *)&plan;
  float x[8] = {0}, y[8];
  assert_int_equal(attend_plan_core(NULL, &shape, NULL, &plan), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_plan_layer(NULL, &layer, 1, 1, 0, false, NULL, &plan),
                   ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_pack_weights(NULL, &layer, &source, &weights),
                   ATTEND_STATUS_NULL_POINTER);
  assert_null(weights);
  assert_int_equal(attend_layer_forward(NULL, weights, NULL, 1, 1, x, NULL, y),
                   ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_open_cache(NULL, &layer, &settings, &cache), ATTEND_STATUS_NULL_POINTER);
  assert_null(cache);
  assert_int_equal(attend_append_cache(NULL, NULL, 0, 1, view, view), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_read_cache(NULL, NULL, 0, 0, 1, out, out), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_fork_cache(NULL, NULL, 0, 1, 1), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_truncate_cache(NULL, 0, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_set_tap(NULL, NULL, NULL), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_get_profile(NULL, &profile), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_describe_machine(NULL), ATTEND_STATUS_NULL_POINTER);
  assert_non_null(attend_get_error(NULL));
  attend_reset_profile(NULL);
  attend_free_weights(NULL);
  attend_close_cache(NULL);
  attend_default_settings(NULL);
  attend_default_options(NULL);
  attend_default_weight_source(NULL);
}

/* A caller may run without a cache: then nothing is in it. */
static void a_cache_that_is_null(void **state) {
  (void)state;
  assert_int_equal(attend_cache_length(NULL, 0), 0);
  assert_int_equal(attend_cache_first(NULL, 0), 0);
  assert_int_equal(attend_cache_capacity(NULL), 0);
  assert_int_equal(attend_cache_free_blocks(NULL), 0);
  assert_int_equal(attend_cache_token_bytes(NULL), 0);
  assert_int_equal(attend_cache_bytes(NULL), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(workspace_calls),       cmocka_unit_test(settings_out_of_range),
      cmocka_unit_test(isas_are_not_replaced), cmocka_unit_test(null_contexts),
      cmocka_unit_test(a_cache_that_is_null),
  };
  return cmocka_run_group_tests_name("errors_context", tests, NULL, NULL);
}
