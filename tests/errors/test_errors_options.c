/* test_errors_options.c - options of a core call that are refused, by every path alike: the status,
 * a sentence that names the field, and outputs that stay as they were.
 *
 * What a plan can know it refuses too, with the same status.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/support/core_problem.h"

#define BATCH 2

/* A call that is right, to be made wrong in one place. */
typedef struct Call {
  CoreProblem problem;
  AttendOptions options;
  float *out, *lse;
  size_t floats, rows;
  bool without_lse;
} Call;

static Call call_new(void) {
  const CoreCase spec = {.shape = {BATCH, 6, 20, 4, 2, 8, 8}};
  Call call = {.problem = problem_new(&spec), .floats = BATCH * 6 * 4 * 8, .rows = BATCH * 4 * 6};
  call.options = call.problem.options;
  call.out = guarded_new(call.floats * sizeof(float), 0);
  call.lse = guarded_new(call.rows * sizeof(float), 0);
  return call;
}

static void call_free(Call *call) {
  guarded_free(call->out, "out");
  guarded_free(call->lse, "lse");
  problem_free(&call->problem);
}

static AttendStatus run_call(AttendContext *context, const Call *call) {
  const CoreProblem *const p = &call->problem;
  return attend_core_forward(context, &p->spec.shape, p->query, p->key, p->value, &call->options,
                             attend_output_bnhd(call->out, 6, 4, 8),
                             call->without_lse ? NULL : call->lse);
}

/* Refused by every path, and by its plan if the plan sees what is wrong; then all is set right. */
static void refused(Call *call, bool by_plan, AttendStatus expected, const char *words) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 1);
    require_refusal(context, run_call(context, call), expected, words, words);
    for (size_t i = 0; i < call->floats; i++) assert_true(is_untouched(call->out + i));
    for (size_t r = 0; r < call->rows; r++) assert_true(is_untouched(call->lse + r));
    AttendPlan plan = {.struct_size = sizeof plan};
    if (by_plan)
      require_refusal(context,
                      attend_plan_core(context, &call->problem.spec.shape, &call->options, &plan),
                      expected, words, words);
    attend_close(&context);
  }
  call->options = call->problem.options;
}

static void numbers_outside_their_range(void **state) {
  (void)state;
  static const int64_t windows[] = {-2, -1000, INT64_MIN};
  static const float numbers[] = {NAN, INFINITY, -INFINITY, FLT_MAX};
  Call call = call_new();
  for (size_t k = 0; k < COUNT_OF(windows); k++) {
    call.options.window_left = windows[k];
    refused(&call, true, ATTEND_STATUS_BAD_OPTION, "window_left");
    call.options.window_right = windows[k];
    refused(&call, true, ATTEND_STATUS_BAD_OPTION, "window_right");
  }
  for (size_t k = 0; k < COUNT_OF(numbers); k++) {
    call.options.softcap = numbers[k];
    refused(&call, true, ATTEND_STATUS_BAD_OPTION, "softcap");
    call.options.scale = numbers[k];
    refused(&call, true, ATTEND_STATUS_BAD_OPTION, "scale");
  }
  call.options.softcap = -1.0f;
  refused(&call, true, ATTEND_STATUS_BAD_OPTION, "softcap");
  call.options.struct_size--;
  refused(&call, true, ATTEND_STATUS_BAD_OPTION, "struct_size");
  call_free(&call);
}

static void lengths_and_offsets(void **state) {
  (void)state;
  static const size_t longer[BATCH] = {20, 21}, sequences[BATCH] = {0, 1};
  static const size_t queries[BATCH + 1] = {0, 2, 6}, keys[BATCH + 1] = {0, 15, 20};
  static const size_t wrong[][BATCH + 1] = {{1, 2, 6}, {0, 7, 6}, {0, 2, 5}, {0, 2, 7}};
  static const size_t inside[BATCH] = {16, 5};
  Call call = call_new();
  call.options.key_lengths = longer;
  refused(&call, true, ATTEND_STATUS_BAD_SIZE, "key_lengths");
  call.options.cache_sequences = sequences;
  refused(&call, true, ATTEND_STATUS_BAD_OPTION, "cache_sequences");
  call.options.query_offsets = queries;
  refused(&call, true, ATTEND_STATUS_BAD_OPTION, "key_offsets");
  call.options.key_offsets = keys;
  refused(&call, true, ATTEND_STATUS_BAD_OPTION, "query_offsets");
  for (size_t k = 0; k < COUNT_OF(wrong); k++) {
    call.options.query_offsets = wrong[k];
    call.options.key_offsets = keys;
    refused(&call, true, ATTEND_STATUS_BAD_SIZE, "query_offsets");
    call.options.query_offsets = queries;
    call.options.key_offsets = wrong[k];
    refused(&call, true, ATTEND_STATUS_BAD_SIZE, "key_offsets");
  }
  call.options.query_offsets = queries;
  call.options.key_offsets = keys;
  call.options.key_lengths = inside;
  refused(&call, true, ATTEND_STATUS_BAD_SIZE, "key_lengths");
  call_free(&call);
}

static void arrays_of_floats(void **state) {
  (void)state;
  Call call = call_new();
  float numbers[9] = {0};
  call.options.bias.data = off_by_a_byte(numbers);
  refused(&call, false, ATTEND_STATUS_MISALIGNED, "bias");
  call.options.alibi_slopes = off_by_a_byte(numbers);
  refused(&call, false, ATTEND_STATUS_MISALIGNED, "alibi_slopes");
  call.options.sinks = off_by_a_byte(numbers);
  refused(&call, false, ATTEND_STATUS_MISALIGNED, "sinks");
  call.options.bias = (AttendBias){numbers, SIZE_MAX / 2, 0, 0, 0, 0};
  refused(&call, false, ATTEND_STATUS_OVERFLOW, "bias");
  call.options.mask = (AttendMask){(const uint8_t *)numbers, 0, 0, SIZE_MAX / 2, 0, 0};
  refused(&call, false, ATTEND_STATUS_OVERFLOW, "mask");
  call_free(&call);
}

/* Neither output may share memory with what an option points to. */
static void outputs_over_options(void **state) {
  (void)state;
  Call call = call_new();
  float *const outputs[] = {call.out + 17, call.lse + 5};
  for (size_t k = 0; k < COUNT_OF(outputs); k++) {
    call.options.bias.data = outputs[k];
    refused(&call, false, ATTEND_STATUS_OVERLAP, "bias");
    call.options.mask.data = (const uint8_t *)outputs[k] + 1;
    refused(&call, false, ATTEND_STATUS_OVERLAP, "mask");
    call.options.alibi_slopes = outputs[k];
    refused(&call, false, ATTEND_STATUS_OVERLAP, "alibi_slopes");
    call.options.sinks = outputs[k];
    refused(&call, false, ATTEND_STATUS_OVERLAP, "sinks");
    /* The last element of a mask that begins well before the output. */
    call.options.mask = (AttendMask){(const uint8_t *)outputs[k] - 5 * 100, 0, 0, 100, 0, 0};
    refused(&call, false, ATTEND_STATUS_OVERLAP, "mask");
  }
  call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_outside_their_range),
      cmocka_unit_test(lengths_and_offsets),
      cmocka_unit_test(arrays_of_floats),
      cmocka_unit_test(outputs_over_options),
  };
  return cmocka_run_group_tests_name("errors_options", tests, NULL, NULL);
}
