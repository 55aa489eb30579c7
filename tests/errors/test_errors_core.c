/* test_errors_core.c - core calls that must fail: status, sentence, and what they leave untouched.
 *
 * A case breaks one thing in a call that is otherwise right, so that it is known which thing was
 * refused. Outputs are checked byte by byte against what they held before.
 */
#include "tests/support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 6, DIM = 8, FLOATS = 2 * TOKENS * 2 * DIM };

/* A right call of B = 2, N = 6, Hq = Hk = 2, D = Dv = 8, to be broken. All operands stand in one
 * block of memory, outputs first, so that any two can be made to overlap. */
typedef struct CoreCall {
  float *memory;
  AttendShape shape;
  AttendView query, key, value;
  AttendOptions options;
  AttendOutputView out;
  float *lse;
} CoreCall;

static CoreCall core_call(void) {
  const size_t lse_floats = 2 * 2 * TOKENS;
  CoreCall call = {.shape = {2, TOKENS, TOKENS, 2, 2, DIM, DIM}};
  call.memory = guarded_new((4 * FLOATS + lse_floats) * sizeof(float), 0);
  call.lse = call.memory + FLOATS;
  float *const inputs = call.lse + lse_floats;
  fill_random(1, 1.0f, inputs, 3 * FLOATS);
  call.out = attend_output_bnhd(call.memory, TOKENS, 2, DIM);
  call.query = attend_view_bnhd(inputs, TOKENS, 2, DIM);
  call.key = attend_view_bnhd(inputs + FLOATS, TOKENS, 2, DIM);
  call.value = attend_view_bnhd(inputs + 2 * FLOATS, TOKENS, 2, DIM);
  attend_default_options(&call.options);
  return call;
}

static AttendStatus core_run(AttendContext *context, const CoreCall *call) {
  return attend_core_forward(context, &call->shape, call->query, call->key, call->value,
                             &call->options, call->out, call->lse);
}

/* Runs the broken call on every engine and frees it. */
static void core_refused(CoreCall *call, AttendStatus expected, const char *words,
                         const char *what) {
  const size_t bytes = (4 * FLOATS + 2 * 2 * TOKENS) * sizeof(float);
  void *const before = new_bytes(bytes);
  memcpy(before, call->memory, bytes);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    require_refusal(context, core_run(context, call), expected, words, what);
    if (memcmp(before, call->memory, bytes) != 0)
      fail_msg("%s: path %s wrote memory", what, attend_path_name(engines[k].path));
    attend_close(&context);
  }
  free(before);
  guarded_free(call->memory, what);
}

/* The unbroken call works, and clears the sentence of the one before. */
static void the_call_to_be_broken_is_right(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    CoreCall call = core_call();
    AttendContext *context = engine_open(engines[k], 2);
    call.shape.batch = 0;
    assert_int_equal(core_run(context, &call), ATTEND_STATUS_BAD_SIZE);
    assert_true(*attend_get_error(context));
    call.shape.batch = 2;
    assert_ok(context, core_run(context, &call));
    assert_string_equal(attend_get_error(context), "");
    call.shape.batch = 0;
    assert_int_equal(core_run(context, &call), ATTEND_STATUS_BAD_SIZE);
    assert_ok(context, attend_set_tap(context, NULL, NULL));
    assert_string_equal(attend_get_error(context), "");
    attend_close(&context);
    guarded_free(call.memory, "memory");
  }
}

static void core_null_pointers(void **state) {
  (void)state;
  static const char *const names[] = {"query", "key", "value", "out"};
  for (size_t k = 0; k < COUNT_OF(names); k++) {
    CoreCall call = core_call();
    if (k == 0) call.query.data = NULL;
    if (k == 1) call.key.data = NULL;
    if (k == 2) call.value.data = NULL;
    if (k == 3) call.out.data = NULL;
    core_refused(&call, ATTEND_STATUS_NULL_POINTER, names[k], names[k]);
  }
  CoreCall call = core_call();
  AttendContext *context = auto_open(1);
  require_refusal(
      context,
      attend_core_forward(context, NULL, call.query, call.key, call.value, NULL, call.out, NULL),
      ATTEND_STATUS_NULL_POINTER, "shape", "a null shape");
  assert_int_equal(attend_core_forward(NULL, &call.shape, call.query, call.key, call.value, NULL,
                                       call.out, NULL),
                   ATTEND_STATUS_NULL_POINTER);
  attend_close(&context);
  guarded_free(call.memory, "memory");
}

static void core_misaligned_pointers(void **state) {
  (void)state;
  static const char *const names[] = {"query", "key", "value", "out", "lse"};
  for (size_t k = 0; k < COUNT_OF(names); k++) {
    CoreCall call = core_call();
    if (k == 0) call.query.data = off_by_a_byte(call.query.data);
    if (k == 1) call.key.data = off_by_a_byte(call.key.data);
    if (k == 2) call.value.data = off_by_a_byte(call.value.data);
    if (k == 3) call.out.data = (float *)(uintptr_t)off_by_a_byte(call.out.data);
    if (k == 4) call.lse = (float *)(uintptr_t)off_by_a_byte(call.lse);
    core_refused(&call, ATTEND_STATUS_MISALIGNED, names[k], names[k]);
  }
}

static void core_sizes(void **state) {
  (void)state;
  const struct {
    size_t offset;
    const char *name;
    bool zero_allowed;
  } sizes[] = {{offsetof(AttendShape, batch), "batch", false},
               {offsetof(AttendShape, query_heads), "query_heads", false},
               {offsetof(AttendShape, kv_heads), "kv_heads", false},
               {offsetof(AttendShape, head_dim), "head_dim", false},
               {offsetof(AttendShape, value_dim), "value_dim", false},
               {offsetof(AttendShape, query_tokens), "query_tokens", true},
               {offsetof(AttendShape, key_tokens), "key_tokens", true}};
  static const size_t huge[] = {SIZE_MAX - 1, SIZE_MAX / 2 - 1, (size_t)1 << 62};
  for (size_t k = 0; k < COUNT_OF(sizes); k++) {
    CoreCall call = core_call();
    size_t *size = (size_t *)(void *)((char *)&call.shape + sizes[k].offset);
    *size = 0;
    if (sizes[k].zero_allowed)
      guarded_free(call.memory, "memory");
    else
      core_refused(&call, ATTEND_STATUS_BAD_SIZE, sizes[k].name, sizes[k].name);
    for (size_t h = 0; h < COUNT_OF(huge); h++) {
      char text[NUMBER_SIZE];
      call = core_call();
      call.shape.kv_heads = 1;
      size = (size_t *)(void *)((char *)&call.shape + sizes[k].offset);
      *size = huge[h];
      if (size == &call.shape.kv_heads) call.shape.query_heads = huge[h];
      core_refused(&call, ATTEND_STATUS_OVERFLOW, number(text, huge[h]), sizes[k].name);
    }
  }
}

/* A size whose square or product with four wraps around to something small. */
static void core_sizes_that_wrap(void **state) {
  (void)state;
  const size_t half = (size_t)1 << 32;
  CoreCall call = core_call();
  call.shape.query_tokens = half;
  call.shape.head_dim = half;
  core_refused(&call, ATTEND_STATUS_OVERFLOW, "4294967296", "2^32 tokens of 2^32");
  call = core_call();
  call.shape.batch = half;
  call.shape.key_tokens = half / 4;
  core_refused(&call, ATTEND_STATUS_OVERFLOW, "4294967296", "2^32 batches of 2^30 keys");
}

static void core_strides_that_overflow(void **state) {
  (void)state;
  static const size_t huge[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4 + 1};
  for (size_t h = 0; h < COUNT_OF(huge); h++) {
    for (size_t k = 0; k < 12; k++) {
      char text[NUMBER_SIZE];
      CoreCall call = core_call();
      AttendView out = {call.out.data, call.out.batch_stride, call.out.token_stride,
                        call.out.head_stride};
      AttendView *const views[] = {&call.query, &call.key, &call.value, &out};
      AttendView *const view = views[k / 3];
      size_t *const strides[] = {&view->batch_stride, &view->token_stride, &view->head_stride};
      *strides[k % 3] = huge[h];
      call.out.batch_stride = out.batch_stride;
      call.out.token_stride = out.token_stride;
      call.out.head_stride = out.head_stride;
      core_refused(&call, ATTEND_STATUS_OVERFLOW, number(text, huge[h]), "a huge stride");
    }
  }
}

static void core_output_rows_that_overlap(void **state) {
  (void)state;
  static const size_t strides[][3] = {
      /* batch, token, head; right would be 96, 16, 8 */
      {96, 16, 7}, {96, 16, 0}, {96, 15, 8}, {96, 0, 8}, {95, 16, 8}, {0, 16, 8},
      {96, 8, 8},  {96, 8, 47}, {16, 16, 8}, {1, 1, 1},  {12, 96, 8},
  };
  for (size_t k = 0; k < COUNT_OF(strides); k++) {
    CoreCall call = core_call();
    call.out.batch_stride = strides[k][0];
    call.out.token_stride = strides[k][1];
    call.out.head_stride = strides[k][2];
    core_refused(&call, ATTEND_STATUS_BAD_STRIDE, "stride", "an output stride");
  }
  CoreCall call = core_call();
  call.out.head_stride = 7;
  core_refused(&call, ATTEND_STATUS_BAD_STRIDE, "7", "an output stride of 7");
}

/* Strides of dimensions with one element do not matter, whatever they are. */
static void core_strides_that_are_never_stepped(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  static const size_t strides[] = {0, 1, SIZE_MAX};
  for (size_t k = 0; k < count; k++) {
    for (size_t s = 0; s < COUNT_OF(strides); s++) {
      CoreCall call = core_call();
      AttendContext *context = engine_open(engines[k], 2);
      call.shape = (AttendShape){1, 1, 1, 1, 1, DIM, DIM};
      call.out.batch_stride = call.out.token_stride = call.out.head_stride = strides[s];
      call.query.batch_stride = call.query.token_stride = call.query.head_stride = strides[s];
      call.key.batch_stride = call.key.token_stride = call.key.head_stride = strides[s];
      call.value.batch_stride = call.value.token_stride = call.value.head_stride = strides[s];
      assert_ok(context, core_run(context, &call));
      /* One key: its value is the output. */
      for (size_t d = 0; d < DIM; d++)
        assert_true(fabsf(call.out.data[d] - call.value.data[d]) < 1e-6f);
      attend_close(&context);
      guarded_free(call.memory, "memory");
    }
  }
}

static void core_overlaps(void **state) {
  (void)state;
  static const char *const names[] = {"query", "key", "value", "out"};
  for (size_t k = 0; k < 3; k++) {
    for (size_t step = 0; step < 3; step++) {
      CoreCall call = core_call();
      const AttendView *const inputs[] = {&call.query, &call.key, &call.value};
      const size_t shifts[] = {0, 1, FLOATS - 1};
      call.out.data = (float *)(uintptr_t)inputs[k]->data + shifts[step];
      if (k == 2) call.out.data = (float *)(uintptr_t)inputs[k]->data - shifts[step];
      core_refused(&call, ATTEND_STATUS_OVERLAP, step == 0 ? names[k] : "out", "out over an input");
    }
    CoreCall call = core_call();
    const AttendView *const inputs[] = {&call.query, &call.key, &call.value};
    call.lse = (float *)(uintptr_t)inputs[k]->data + 5;
    core_refused(&call, ATTEND_STATUS_OVERLAP, names[k], "lse over an input");
  }
  CoreCall call = core_call();
  call.lse = call.out.data + FLOATS - 1;
  core_refused(&call, ATTEND_STATUS_OVERLAP, "lse", "lse over out");
}

static void core_heads(void **state) {
  (void)state;
  static const size_t heads[][2] = {{3, 2}, {1, 2}, {2, 3}, {7, 4}};
  for (size_t k = 0; k < COUNT_OF(heads); k++) {
    char text[NUMBER_SIZE];
    CoreCall call = core_call();
    call.shape.query_heads = heads[k][0];
    call.shape.kv_heads = heads[k][1];
    core_refused(&call, ATTEND_STATUS_BAD_HEADS, number(text, heads[k][0]), "heads");
  }
}

static void core_options(void **state) {
  (void)state;
  static const float scales[] = {NAN, INFINITY, -INFINITY};
  for (size_t k = 0; k < COUNT_OF(scales); k++) {
    CoreCall call = core_call();
    call.options.scale = scales[k];
    core_refused(&call, ATTEND_STATUS_BAD_OPTION, "scale", "a scale that is not finite");
  }
  CoreCall call = core_call();
  call.options.struct_size = 0;
  core_refused(&call, ATTEND_STATUS_BAD_OPTION, "struct_size", "options that were not filled");
  call = core_call();
  call.options.struct_size = 4097;
  core_refused(&call, ATTEND_STATUS_BAD_OPTION, "4097", "options of another version");
}

/* More keys than memory could ever hold, all of them the same one by strides of 0. */
static void core_out_of_memory(void **state) {
  (void)state;
  CoreCall call = core_call();
  call.shape.batch = 1;
  call.shape.key_tokens = (size_t)1 << 45;
  call.shape.query_tokens = TOKENS;
  call.options.causal = false;
  call.key.token_stride = call.value.token_stride = 0;
  float before[FLOATS];
  memcpy(before, call.memory, sizeof before);
  AttendSettings settings =
      engine_settings((Engine){ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 1);
  settings.score_memory_limit_bytes = SIZE_MAX;
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  require_refusal(context, core_run(context, &call), ATTEND_STATUS_OUT_OF_MEMORY, "bytes",
                  "more memory than there is");
  assert_memory_equal(before, call.memory, sizeof before);
  attend_close(&context);
  guarded_free(call.memory, "memory");
}

/* The blas path has no matrix for tokens that overlap; forced, it refuses instead of falling
 * back. */
static void core_path_refused(void **state) {
  (void)state;
  CoreCall call = core_call();
  call.key.token_stride = 3;
  AttendContext *context =
      engine_open((Engine){ATTEND_PATH_BLAS, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
  require_refusal(context, core_run(context, &call), ATTEND_STATUS_PATH_REFUSED, "3",
                  "keys that overlap");
  for (size_t i = 0; i < FLOATS; i++) assert_true(is_untouched(call.memory + i));
  attend_close(&context);
  guarded_free(call.memory, "memory");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_call_to_be_broken_is_right),
      cmocka_unit_test(core_null_pointers),
      cmocka_unit_test(core_misaligned_pointers),
      cmocka_unit_test(core_sizes),
      cmocka_unit_test(core_sizes_that_wrap),
      cmocka_unit_test(core_strides_that_overflow),
      cmocka_unit_test(core_output_rows_that_overlap),
      cmocka_unit_test(core_strides_that_are_never_stepped),
      cmocka_unit_test(core_overlaps),
      cmocka_unit_test(core_heads),
      cmocka_unit_test(core_options),
      cmocka_unit_test(core_out_of_memory),
      cmocka_unit_test(core_path_refused),
  };
  return cmocka_run_group_tests_name("errors_core", tests, NULL, NULL);
}
