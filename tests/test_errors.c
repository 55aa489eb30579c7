/* test_errors.c - every call that must fail: its status, its sentence, and what it leaves untouched.
 *
 * A case breaks one thing in a call that is otherwise right, so that it is known which thing was
 * refused. Outputs are checked byte by byte against what they held before, caches too.
 */
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some cases ask for more memory than there is and want null, also from the sanitizer's malloc. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

/* ---- core ---- */

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

static const float *off_by_a_byte(const float *data) {
  return (const float *)(const void *)((const char *)data + 1);
}

static AttendStatus core_run(AttendContext *context, const CoreCall *call) {
  return attend_core_forward(context, &call->shape, call->query, call->key, call->value,
                             &call->options, call->out, call->lse);
}

/* Runs the broken call on every engine and frees it. */
static void core_refused(CoreCall *call, AttendStatus expected, const char *fragment,
                         const char *what) {
  const size_t bytes = (4 * FLOATS + 2 * 2 * TOKENS) * sizeof(float);
  void *const before = new_bytes(bytes);
  memcpy(before, call->memory, bytes);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    AttendContext *context = engine_open(engines[k], 2);
    require_refusal(context, core_run(context, call), expected, fragment, what);
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
  AttendContext *context = engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO}, 1);
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
  AttendSettings settings = engine_settings((Engine){ATTEND_PATH_NAIVE, ATTEND_ISA_AUTO}, 1);
  settings.score_memory_limit_bytes = SIZE_MAX;
  AttendContext *context = NULL;
  assert_ok(context, attend_open(&context, &settings));
  require_refusal(context, core_run(context, &call), ATTEND_STATUS_OUT_OF_MEMORY, "bytes",
                  "more memory than there is");
  assert_memory_equal(before, call.memory, sizeof before);
  attend_close(&context);
  guarded_free(call.memory, "memory");
}

/* The blas path has no matrix for tokens that overlap; forced, it refuses instead of falling back. */
static void core_path_refused(void **state) {
  (void)state;
  CoreCall call = core_call();
  call.key.token_stride = 3;
  AttendContext *context = engine_open((Engine){ATTEND_PATH_BLAS, ATTEND_ISA_AUTO}, 2);
  require_refusal(context, core_run(context, &call), ATTEND_STATUS_PATH_REFUSED, "3",
                  "keys that overlap");
  for (size_t i = 0; i < FLOATS; i++) assert_true(is_untouched(call.memory + i));
  attend_close(&context);
  guarded_free(call.memory, "memory");
}

/* ---- memory ---- */

static void workspace_calls(void **state) {
  (void)state;
  const CoreCase spec = {.shape = {1, 40, 40, 2, 1, 16, 16}};
  CoreProblem problem = problem_new(&spec);
  problem_expect(&problem);
  const Engine engine = {ATTEND_PATH_TILED, ATTEND_ISA_AUTO};
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

/* ---- contexts ---- */

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
    const AttendSettings settings = engine_settings((Engine){ATTEND_PATH_TILED, (AttendIsa)isa}, 1);
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
  AttendPlan plan = {.struct_size = sizeof plan};
  AttendProfile profile;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  AttendWeights *weights = (AttendWeights *)(void *)&plan;
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
  assert_int_equal(attend_open_cache(NULL, &layer, 1, 1, &cache), ATTEND_STATUS_NULL_POINTER);
  assert_null(cache);
  assert_int_equal(attend_append_cache(NULL, NULL, 1, view, view), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_truncate_cache(NULL, 0), ATTEND_STATUS_NULL_POINTER);
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

/* ---- weights ---- */

static const AttendLayerShape layer_shape = {16, 4, 2, 6, 10};

/* Enough floats for any matrix of layer_shape. */
static AttendWeightSource right_source(const float *data) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = source.key = source.value = source.output = data;
  return source;
}

static void pack_refused(const AttendLayerShape *shape, const AttendWeightSource *source,
                         AttendStatus expected, const char *fragment, const char *what) {
  AttendContext *context = engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO}, 1);
  AttendWeights *weights = (AttendWeights *)(void *)&context;
  require_refusal(context, attend_pack_weights(context, shape, source, &weights), expected,
                  fragment, what);
  assert_null(weights);
  attend_close(&context);
}

static void weight_sources(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64 + 1);
  const AttendWeightSource right = right_source(data);
  AttendWeightSource s = right;
  pack_refused(NULL, &s, ATTEND_STATUS_NULL_POINTER, "shape", "no shape");
  pack_refused(&layer_shape, NULL, ATTEND_STATUS_NULL_POINTER, "source", "no source");
  s.query = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "query", "no query");
  s = right;
  s.key = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "key", "no key");
  s = right;
  s.value = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "value", "no value");
  s = right;
  s.output = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "output", "no output");
  s = right;
  s.qkv = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "qkv", "fused and separate");
  s = right;
  s.qkv_bias = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "bias", "a fused bias alone");
  s = right;
  s.query = s.key = s.value = NULL;
  s.qkv = data;
  s.value_bias = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "bias", "a separate bias alone");
  s = right;
  s.struct_size = 3;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "3", "a source that was not filled");
  s = right;
  s.orientation = (AttendOrientation)7;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "7", "an orientation that is none");
  const float **const pointers[] = {&s.query,      &s.key,        &s.value,      &s.output,
                                    &s.query_bias, &s.value_bias, &s.output_bias};
  for (size_t k = 0; k < COUNT_OF(pointers); k++) {
    s = right;
    *pointers[k] = off_by_a_byte(data);
    pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "4", "an odd address");
  }
  free(data);
}

static void layer_shapes(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64);
  const AttendWeightSource source = right_source(data);
  const size_t offsets[] = {
      offsetof(AttendLayerShape, width), offsetof(AttendLayerShape, query_heads),
      offsetof(AttendLayerShape, kv_heads), offsetof(AttendLayerShape, head_dim),
      offsetof(AttendLayerShape, value_dim)};
  static const char *const names[] = {"width", "query_heads", "kv_heads", "head_dim", "value_dim"};
  for (size_t k = 0; k < COUNT_OF(offsets); k++) {
    static const size_t huge[] = {SIZE_MAX - 1, SIZE_MAX / 2 - 1, (size_t)1 << 40};
    AttendLayerShape shape = layer_shape;
    size_t *const size = (size_t *)(void *)((char *)&shape + offsets[k]);
    *size = 0;
    pack_refused(&shape, &source, ATTEND_STATUS_BAD_SIZE, names[k], "a size of 0");
    for (size_t h = 0; h < COUNT_OF(huge); h++) {
      char text[NUMBER_SIZE];
      shape = layer_shape;
      *size = huge[h];
      if (k == 2) shape.query_heads = huge[h];
      pack_refused(&shape, &source, ATTEND_STATUS_OVERFLOW,
                   huge[h] > (size_t)1 << 40 ? number(text, huge[h]) : "", "a huge size");
    }
  }
  AttendLayerShape shape = layer_shape;
  shape.kv_heads = 3;
  pack_refused(&shape, &source, ATTEND_STATUS_BAD_HEADS, "3", "4 query heads and 3 kv heads");
  free(data);
}

/* ---- layers and caches ---- */

enum { BATCH = 2, NEW = 3, CAPACITY = 10, PAST = 8 };

/* A right layer call with a cache that has PAST tokens, to be broken. */
typedef struct LayerCall {
  AttendContext *context;
  AttendWeights *weights;
  AttendCache *cache;
  size_t batch, tokens;
  float *x, *y;
  AttendOptions options;
} LayerCall;

static LayerCall layer_call(Engine engine) {
  LayerCall call = {.batch = BATCH, .tokens = 2};
  float *const data = new_random(1, 0.5f, 16 * 64);
  const AttendWeightSource source = right_source(data);
  call.context = engine_open(engine, 2);
  assert_ok(call.context, attend_pack_weights(call.context, &layer_shape, &source, &call.weights));
  free(data);
  assert_ok(call.context,
            attend_open_cache(call.context, &layer_shape, BATCH, CAPACITY, &call.cache));
  float *const past = new_random(2, 1.0f, BATCH * CAPACITY * 2 * 10);
  assert_ok(call.context,
            attend_append_cache(call.context, call.cache, PAST, attend_view_bnhd(past, PAST, 2, 6),
                                attend_view_bnhd(past, PAST, 2, 10)));
  free(past);
  call.x = new_random(3, 1.0f, BATCH * NEW * 16);
  call.y = guarded_new(BATCH * NEW * 16 * sizeof *call.y, 0);
  attend_default_options(&call.options);
  return call;
}

static void layer_call_free(LayerCall *call) {
  guarded_free(call->y, "y");
  free(call->x);
  attend_close_cache(&call->cache);
  attend_free_weights(&call->weights);
  attend_close(&call->context);
}

/* All memory of a cache's keys and values, also behind its length. */
static void copy_cache(const AttendCache *cache, float *to) {
  const AttendView keys = attend_cache_keys(cache), values = attend_cache_values(cache);
  for (size_t r = 0; r < BATCH * 2 * PAST; r++) {
    const size_t b = r / (2 * PAST), g = r / PAST % 2, j = r % PAST;
    memcpy(to + r * 16, problem_row(&keys, b, j, g), 6 * sizeof *to);
    memcpy(to + r * 16 + 6, problem_row(&values, b, j, g), 10 * sizeof *to);
  }
}

/* Runs the broken call: y may be x's memory, so both are compared. */
static void layer_refused(LayerCall *call, const AttendCache *cache, const float *x, float *y,
                          AttendStatus expected, const char *fragment, const char *what) {
  static const size_t floats = BATCH * 2 * PAST * 16;
  float *const cached = new_bytes(2 * floats * sizeof *cached);
  float *const x_before = new_bytes(BATCH * NEW * 16 * sizeof *x_before);
  memcpy(x_before, call->x, BATCH * NEW * 16 * sizeof *x_before);
  copy_cache(call->cache, cached);
  require_refusal(call->context,
                  attend_layer_forward(call->context, call->weights,
                                       (AttendCache *)(uintptr_t)cache, call->batch, call->tokens,
                                       x, &call->options, y),
                  expected, fragment, what);
  copy_cache(call->cache, cached + floats);
  assert_int_equal(attend_cache_length(call->cache), PAST);
  assert_memory_equal(cached, cached + floats, floats * sizeof *cached);
  assert_memory_equal(x_before, call->x, BATCH * NEW * 16 * sizeof *x_before);
  for (size_t i = 0; i < BATCH * NEW * 16; i++) assert_true(is_untouched(call->y + i));
  free(x_before);
  free(cached);
  call->batch = BATCH;
  call->tokens = 2;
  attend_default_options(&call->options);
}

static void check_layer_errors(Engine engine) {
  LayerCall c = layer_call(engine);
  layer_refused(&c, c.cache, NULL, c.y, ATTEND_STATUS_NULL_POINTER, "x", "no x");
  layer_refused(&c, c.cache, c.x, NULL, ATTEND_STATUS_NULL_POINTER, "y", "no y");
  layer_refused(&c, c.cache, off_by_a_byte(c.x), c.y, ATTEND_STATUS_MISALIGNED, "x", "an odd x");
  layer_refused(&c, c.cache, c.x, (float *)(uintptr_t)off_by_a_byte(c.y), ATTEND_STATUS_MISALIGNED,
                "y", "an odd y");
  layer_refused(&c, c.cache, c.x, c.x, ATTEND_STATUS_OVERLAP, "y", "y in place of x");
  layer_refused(&c, c.cache, c.x, c.x + 2 * BATCH * 16 - 1, ATTEND_STATUS_OVERLAP, "y",
                "y over the end of x");
  c.tokens = 3;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_CACHE_FULL, "10", "a token too many");
  c.tokens = SIZE_MAX;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_CACHE_FULL, "18446744073709551615",
                "tokens without end");
  c.tokens = SIZE_MAX / 2;
  layer_refused(&c, NULL, c.x, c.y, ATTEND_STATUS_OVERFLOW, "9223372036854775807",
                "tokens that cannot be counted");
  c.batch = 1;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_SHAPE_MISMATCH, "2", "another batch");
  c.batch = 0;
  layer_refused(&c, NULL, c.x, c.y, ATTEND_STATUS_BAD_SIZE, "batch", "no batch");
  c.options.q_start = 77;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "77", "q_start and a cache");
  c.options.scale = NAN;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "scale", "a scale of NaN");
  c.options.struct_size = 1;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "struct_size", "unset options");

  char tiny[16];
  assert_ok(c.context, attend_set_workspace(c.context, tiny, sizeof tiny));
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_WORKSPACE_TOO_SMALL, "16", "16 bytes");
  assert_ok(c.context, attend_set_workspace(c.context, NULL, 0));

  const AttendLayerShape others[] = {{16, 4, 4, 6, 10}, {16, 4, 2, 7, 10}, {16, 4, 2, 6, 9}};
  for (size_t k = 0; k < COUNT_OF(others); k++) {
    AttendCache *other = NULL;
    assert_ok(c.context, attend_open_cache(c.context, &others[k], BATCH, CAPACITY, &other));
    layer_refused(&c, other, c.x, c.y, ATTEND_STATUS_SHAPE_MISMATCH, "6", "another layer's cache");
    assert_int_equal(attend_cache_length(other), 0);
    attend_close_cache(&other);
  }
  require_refusal(c.context,
                  attend_layer_forward(c.context, NULL, NULL, 1, 1, c.x, &c.options, c.y),
                  ATTEND_STATUS_NULL_POINTER, "weights", "no weights");
  assert_ok(c.context,
            attend_layer_forward(c.context, c.weights, c.cache, BATCH, 2, c.x, &c.options, c.y));
  assert_int_equal(attend_cache_length(c.cache), CAPACITY);
  layer_call_free(&c);
}

static void layers(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) check_layer_errors(engines[k]);
}

/* The layer's plan and a supplied workspace: exactly its bytes are enough. */
static void layer_workspaces(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    for (size_t offset = 0; offset < 64; offset += 21) {
      LayerCall c = layer_call(engines[k]);
      AttendPlan plan = {.struct_size = sizeof plan};
      assert_ok(c.context, attend_plan_layer(c.context, &layer_shape, BATCH, 2, PAST, true,
                                             &c.options, &plan));
      void *const workspace = guarded_new(plan.workspace_bytes, offset);
      assert_ok(c.context, attend_set_workspace(c.context, workspace, plan.workspace_bytes - 1));
      layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_WORKSPACE_TOO_SMALL, "", "a byte less");
      assert_ok(c.context, attend_set_workspace(c.context, workspace, plan.workspace_bytes));
      assert_ok(c.context, attend_layer_forward(c.context, c.weights, c.cache, BATCH, 2, c.x,
                                                &c.options, c.y));
      guarded_check(workspace, "workspace");
      assert_ok(c.context, attend_set_workspace(c.context, NULL, 0));
      guarded_free(workspace, "workspace");
      layer_call_free(&c);
    }
  }
}

static void layer_memory_limit(void **state) {
  (void)state;
  static const AttendPath paths[] = {ATTEND_PATH_BLAS, ATTEND_PATH_NAIVE};
  for (size_t k = 0; k < COUNT_OF(paths); k++) {
    AttendSettings settings = engine_settings((Engine){paths[k], ATTEND_ISA_AUTO}, 2);
    settings.score_memory_limit_bytes = 5;
    LayerCall c = layer_call((Engine){paths[k], ATTEND_ISA_AUTO});
    attend_close(&c.context);
    assert_ok(NULL, attend_open(&c.context, &settings));
    layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_MEMORY_LIMIT, "5", "five bytes");
    layer_call_free(&c);
  }
}

static void opening_caches(void **state) {
  (void)state;
  AttendContext *context = engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO}, 1);
  const AttendLayerShape s = {16, 4, 2, 6, 10};
  const struct {
    AttendLayerShape shape;
    size_t batch, capacity;
    AttendStatus status;
    const char *fragment;
  } calls[] = {
      {s, 0, 5, ATTEND_STATUS_BAD_SIZE, "batch"},
      {s, 5, 0, ATTEND_STATUS_BAD_SIZE, "capacity"},
      {{16, 0, 2, 6, 10}, 1, 1, ATTEND_STATUS_BAD_SIZE, "query_heads"},
      {{16, 4, 0, 6, 10}, 1, 1, ATTEND_STATUS_BAD_SIZE, "kv_heads"},
      {{16, 4, 2, 0, 10}, 1, 1, ATTEND_STATUS_BAD_SIZE, "head_dim"},
      {{16, 4, 2, 6, 0}, 1, 1, ATTEND_STATUS_BAD_SIZE, "value_dim"},
      {{16, 5, 2, 6, 10}, 1, 1, ATTEND_STATUS_BAD_HEADS, "5"},
      {s, SIZE_MAX / 2, 3, ATTEND_STATUS_OVERFLOW, "9223372036854775807"},
      {s, 1, SIZE_MAX - 5, ATTEND_STATUS_OVERFLOW, "18446744073709551610"},
      {s, (size_t)1 << 31, (size_t)1 << 31, ATTEND_STATUS_OVERFLOW, "2147483648"},
      {s, 1, (size_t)1 << 50, ATTEND_STATUS_OUT_OF_MEMORY, "bytes"},
  };
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    AttendCache *cache = (AttendCache *)(void *)&context;
    require_refusal(
        context,
        attend_open_cache(context, &calls[k].shape, calls[k].batch, calls[k].capacity, &cache),
        calls[k].status, calls[k].fragment, calls[k].fragment);
    assert_null(cache);
  }
  AttendCache *cache = NULL;
  require_refusal(context, attend_open_cache(context, NULL, 1, 1, &cache),
                  ATTEND_STATUS_NULL_POINTER, "shape", "no shape");
  require_refusal(context, attend_open_cache(context, &s, 1, 1, NULL), ATTEND_STATUS_NULL_POINTER,
                  "cache", "no cache");
  const AttendLayerShape widthless = {0, 4, 2, 6, 10};
  assert_ok(context, attend_open_cache(context, &widthless, 1, 1, &cache));
  attend_close_cache(&cache);
  attend_close_cache(&cache);
  attend_close(&context);
}

static void appending(void **state) {
  (void)state;
  LayerCall c = layer_call((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO});
  float *const data = new_random(1, 1.0f, 1000);
  const AttendView right = attend_view_bnhd(data, 3, 2, 10);
  const AttendView null = {NULL, 60, 20, 10}, odd = {off_by_a_byte(data), 60, 20, 10};
  const struct {
    size_t tokens;
    AttendView key, value;
    AttendStatus status;
    const char *fragment;
  } calls[] = {
      {3, right, right, ATTEND_STATUS_CACHE_FULL, "3"},
      {SIZE_MAX - 7, right, right, ATTEND_STATUS_CACHE_FULL, "18446744073709551608"},
      {1, null, right, ATTEND_STATUS_NULL_POINTER, "key"},
      {1, right, null, ATTEND_STATUS_NULL_POINTER, "value"},
      {1, odd, right, ATTEND_STATUS_MISALIGNED, "key"},
      {1, right, odd, ATTEND_STATUS_MISALIGNED, "value"},
  };
  float before[2][BATCH * 2 * PAST * 16];
  copy_cache(c.cache, before[0]);
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    require_refusal(
        c.context,
        attend_append_cache(c.context, c.cache, calls[k].tokens, calls[k].key, calls[k].value),
        calls[k].status, calls[k].fragment, calls[k].fragment);
    assert_int_equal(attend_cache_length(c.cache), PAST);
    copy_cache(c.cache, before[1]);
    assert_memory_equal(before[0], before[1], sizeof before[0]);
  }
  require_refusal(c.context, attend_append_cache(c.context, NULL, 1, right, right),
                  ATTEND_STATUS_NULL_POINTER, "cache", "no cache");
  assert_ok(c.context, attend_append_cache(c.context, c.cache, 0, null, null));
  assert_int_equal(attend_truncate_cache(c.cache, PAST + 1), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(attend_truncate_cache(c.cache, SIZE_MAX), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(attend_cache_length(c.cache), PAST);
  free(data);
  layer_call_free(&c);
}

/* ---- names ---- */

static void statuses_have_names_and_sentences(void **state) {
  (void)state;
#define CHECK_STATUS(name, value, message)                                                         \
  assert_int_equal(ATTEND_STATUS_##name, value);                                                   \
  assert_string_equal(attend_status_name(ATTEND_STATUS_##name), #name);                            \
  assert_string_equal(attend_status_message(ATTEND_STATUS_##name), message);
  ATTEND_STATUS_MAP(CHECK_STATUS)
#undef CHECK_STATUS
  static const int unknown[] = {-1, 19, 1000};
  for (size_t k = 0; k < COUNT_OF(unknown); k++) {
    assert_string_equal(attend_status_name((AttendStatus)unknown[k]), "UNKNOWN_STATUS");
    assert_true(strlen(attend_status_message((AttendStatus)unknown[k])) > 10);
  }
  char version[64];
  snprintf(version, sizeof version, "%d.%d.%d", ATTEND_VERSION_MAJOR, ATTEND_VERSION_MINOR,
           ATTEND_VERSION_PATCH);
  assert_string_equal(attend_version(), version);
}

static void names_are_found_again(void **state) {
  (void)state;
  static const char *const paths[] = {"auto", "tiled", "blas", "naive"};
  static const char *const isas[] = {"auto", "scalar", "avx2", "avx512"};
  for (int k = 0; k < 4; k++) {
    AttendPath path = (AttendPath)9;
    AttendIsa isa = (AttendIsa)9;
    assert_string_equal(attend_path_name((AttendPath)k), paths[k]);
    assert_string_equal(attend_isa_name((AttendIsa)k), isas[k]);
    assert_true(attend_find_path(paths[k], &path));
    assert_true(attend_find_isa(isas[k], &isa));
    assert_int_equal(path, k);
    assert_int_equal(isa, k);
  }
  static const char *const wrong[] = {"", "Tiled", "blas ", "avx", "fast", "sse2"};
  for (size_t k = 0; k < COUNT_OF(wrong); k++) {
    AttendPath path = ATTEND_PATH_BLAS;
    AttendIsa isa = ATTEND_ISA_AVX2;
    assert_false(attend_find_path(wrong[k], &path));
    assert_false(attend_find_isa(wrong[k], &isa));
    assert_int_equal(path, ATTEND_PATH_BLAS);
    assert_int_equal(isa, ATTEND_ISA_AVX2);
  }
  assert_null(attend_path_name((AttendPath)4));
  assert_null(attend_path_name((AttendPath)-1));
  assert_null(attend_isa_name((AttendIsa)4));
  assert_null(attend_isa_name((AttendIsa)-1));
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
      cmocka_unit_test(workspace_calls),
      cmocka_unit_test(settings_out_of_range),
      cmocka_unit_test(isas_are_not_replaced),
      cmocka_unit_test(null_contexts),
      cmocka_unit_test(weight_sources),
      cmocka_unit_test(layer_shapes),
      cmocka_unit_test(layers),
      cmocka_unit_test(layer_workspaces),
      cmocka_unit_test(layer_memory_limit),
      cmocka_unit_test(opening_caches),
      cmocka_unit_test(appending),
      cmocka_unit_test(statuses_have_names_and_sentences),
      cmocka_unit_test(names_are_found_again),
  };
  return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
