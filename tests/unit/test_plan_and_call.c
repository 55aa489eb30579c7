/* test_plan_and_call.c - a plan and the call that follows say the same.
 *
 * A call chooses its path without a plan, and stops at the first that accepts. Under settings that
 * make different paths refuse, both must take the same path and the same bytes, or refuse in the
 * same words.
 */
#include "tests/support/core_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 70, HEADS = 4, DIM = 16, WIDTH = HEADS * DIM };

static const AttendShape core_shape = {1, TOKENS, TOKENS, HEADS, HEADS, DIM, DIM};
static const AttendLayerShape layer_shape = {WIDTH, HEADS, HEADS, DIM, DIM};

typedef struct Setting {
  AttendPath path;
  AttendPrecision precision;
  size_t score_bytes; /* limit; 0: as by default */
  bool refused;
} Setting;

static const Setting cases[] = {
    {ATTEND_PATH_AUTO, ATTEND_PRECISION_FP32, 0, false},
    {ATTEND_PATH_AUTO, ATTEND_PRECISION_FP32, 1, false},
    {ATTEND_PATH_AUTO, ATTEND_PRECISION_BF16, 0, false},
    {ATTEND_PATH_TILED, ATTEND_PRECISION_FP32, 1, false},
    {ATTEND_PATH_BLAS, ATTEND_PRECISION_FP32, 0, false},
    {ATTEND_PATH_BLAS, ATTEND_PRECISION_FP32, 1, true},
    {ATTEND_PATH_BLAS, ATTEND_PRECISION_BF16, 0, true},
    {ATTEND_PATH_NAIVE, ATTEND_PRECISION_FP32, 0, false},
    {ATTEND_PATH_NAIVE, ATTEND_PRECISION_FP32, 1, true},
    {ATTEND_PATH_NAIVE, ATTEND_PRECISION_BF16, 0, true},
};

static AttendContext *open_setting(const Setting *setting, size_t threads) {
  AttendSettings settings =
      engine_settings((Engine){setting->path, ATTEND_ISA_AUTO, setting->precision}, threads);
  settings.profile = true;
  if (setting->score_bytes) settings.score_memory_limit_bytes = setting->score_bytes;
  AttendContext *context = NULL;
  assert_int_equal(attend_open(&context, &settings), ATTEND_OK);
  return context;
}

/* What a kind of call and its plan look like. */
typedef struct Kind {
  const char *name;
  AttendStatus (*plan)(AttendContext *context, AttendPlan *plan);
  AttendStatus (*forward)(AttendContext *context, const AttendWeights *weights, const float *data,
                          float *out);
} Kind;

static AttendStatus plan_core(AttendContext *context, AttendPlan *plan) {
  return attend_plan_core(context, &core_shape, NULL, plan);
}

static AttendStatus run_core(AttendContext *context, const AttendWeights *weights,
                             const float *data, float *out) {
  const AttendView view = {data, 0, WIDTH, DIM};
  (void)weights;
  return attend_core_forward(context, &core_shape, view, view, view, NULL,
                             attend_output_bnhd(out, TOKENS, HEADS, DIM), NULL);
}

static AttendStatus plan_layer(AttendContext *context, AttendPlan *plan) {
  return attend_plan_layer(context, &layer_shape, 1, TOKENS, 0, false, NULL, plan);
}

static AttendStatus run_layer(AttendContext *context, const AttendWeights *weights,
                              const float *data, float *out) {
  return attend_layer_forward(context, weights, NULL, 1, TOKENS, data, NULL, out);
}

static const Kind kinds[] = {{"core", plan_core, run_core}, {"layer", plan_layer, run_layer}};

/* The path that ran, as its phases tell; blas and naive share theirs, but blas packs nothing. */
static void check_path_that_ran(const AttendContext *context, const AttendPlan *plan) {
  AttendProfile profile;
  assert_int_equal(attend_get_profile(context, &profile), ATTEND_OK);
  const bool tiled = profile.phases[ATTEND_PHASE_ATTENTION].seconds > 0.0;
  const bool packs = profile.phases[ATTEND_PHASE_PACKING].seconds > 0.0;
  assert_int_equal(tiled, plan->path == ATTEND_PATH_TILED);
  if (!tiled) assert_int_equal(packs, plan->path == ATTEND_PATH_NAIVE);
}

/* Exactly the bytes of the plan suffice. */
static void check_call(AttendContext *context, const Kind *kind, const AttendWeights *weights,
                       const AttendPlan *plan, const float *data, float *out) {
  char text[NUMBER_SIZE];
  void *const workspace = guarded_new(plan->workspace_bytes, 5);
  assert_ok(context, attend_set_workspace(context, workspace, plan->workspace_bytes - 1));
  require_refusal(context, kind->forward(context, weights, data, out),
                  ATTEND_STATUS_WORKSPACE_TOO_SMALL, number(text, plan->workspace_bytes),
                  kind->name);
  attend_reset_profile(context);
  assert_ok(context, attend_set_workspace(context, workspace, plan->workspace_bytes));
  assert_ok(context, kind->forward(context, weights, data, out));
  guarded_free(workspace, "workspace");
  check_path_that_ran(context, plan);
}

static void check_setting(const Setting *setting, const Kind *kind, const float *data, float *out) {
  for (size_t threads = 1; threads <= 3; threads += 2) {
    AttendContext *context = open_setting(setting, threads);
    AttendWeightSource source;
    attend_default_weight_source(&source);
    source.qkv = source.output = data;
    AttendWeights *weights = NULL;
    assert_ok(context, attend_pack_weights(context, &layer_shape, &source, &weights));
    AttendPlan plan = {.struct_size = sizeof plan};
    const AttendStatus planned = kind->plan(context, &plan);
    assert_int_equal(planned != ATTEND_OK, setting->refused);
    if (setting->refused) {
      char words[ATTEND_REASON_SIZE];
      snprintf(words, sizeof words, "%s", attend_get_error(context));
      require_refusal(context, kind->forward(context, weights, data, out), planned, words,
                      kind->name);
      assert_string_equal(attend_get_error(context), words);
      assert_int_equal(plan.verdicts[setting->path].status, planned);
      assert_non_null(strstr(words, plan.verdicts[setting->path].reason));
    } else {
      check_call(context, kind, weights, &plan, data, out);
    }
    attend_free_weights(&weights);
    attend_close(&context);
  }
}

static void plan_and_call_agree(void **state) {
  (void)state;
  float *const data = new_random(1, 0.2f, 4 * WIDTH * WIDTH + TOKENS * WIDTH);
  float *const out = new_bytes(TOKENS * WIDTH * sizeof *out);
  for (size_t c = 0; c < COUNT_OF(cases); c++)
    for (size_t k = 0; k < COUNT_OF(kinds); k++) check_setting(&cases[c], &kinds[k], data, out);
  free(data);
  free(out);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(plan_and_call_agree)};
  return cmocka_run_group_tests_name("plan_and_call", tests, NULL, NULL);
}
