/* test_errors_layer.c - layer calls and caches that must fail, and what they leave untouched.
 *
 * A case breaks one thing in a call that is otherwise right. Activations, outputs and the contents of
 * the cache are compared byte by byte with what they held before.
 */
#include "tests/core_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const AttendLayerShape layer_shape = {16, 4, 2, 6, 10};

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
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = source.key = source.value = source.output = data;
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layers),
      cmocka_unit_test(layer_workspaces),
      cmocka_unit_test(layer_memory_limit),
      cmocka_unit_test(opening_caches),
      cmocka_unit_test(appending),
  };
  return cmocka_run_group_tests_name("errors_layer", tests, NULL, NULL);
}
