/* test_errors_layer.c - layer calls and caches that must fail, and what they leave untouched.
 *
 * A case breaks one thing in a call that is otherwise right. Activations, outputs and the contents
 * of the cache are compared byte by byte with what they held before.
 */
#include "tests/support/core_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const AttendLayerShape layer_shape = {16, 4, 2, 6, 10};

enum { BATCH = 2, NEW = 3, CAPACITY = 32, PAST = 30, ROW = 2 * (6 + 10) };

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
  call.cache = cache_open(call.context, &layer_shape, BATCH, CAPACITY);
  float *const past = new_random(2, 1.0f, BATCH * CAPACITY * 2 * 10);
  cache_append(call.context, call.cache, BATCH, PAST, attend_view_bnhd(past, PAST, 2, 6),
               attend_view_bnhd(past, PAST, 2, 10));
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

/* What a cache must still hold after a call that failed: its lengths, and all keys and values. */
static float *copy_cache(AttendContext *context, const AttendCache *cache) {
  float *const copy = new_bytes(BATCH * PAST * ROW * sizeof *copy);
  for (size_t b = 0; b < BATCH; b++) {
    assert_int_equal(attend_cache_length(cache, b), PAST);
    StoredRows rows = cache_read(context, cache, &layer_shape, b, 0, PAST);
    float *const to = copy + b * PAST * ROW;
    memcpy(to, rows.key, PAST * 2 * 6 * sizeof *to);
    memcpy(to + PAST * 2 * 6, rows.value, PAST * 2 * 10 * sizeof *to);
    stored_rows_free(&rows);
  }
  return copy;
}

/* Runs the broken call: y may be x's memory, so both are compared. */
static void layer_refused(LayerCall *call, const AttendCache *cache, const float *x, float *y,
                          AttendStatus expected, const char *words, const char *what) {
  float *const cached = copy_cache(call->context, call->cache);
  float *const x_before = new_bytes(BATCH * NEW * 16 * sizeof *x_before);
  memcpy(x_before, call->x, BATCH * NEW * 16 * sizeof *x_before);
  require_refusal(call->context,
                  attend_layer_forward(call->context, call->weights,
                                       (AttendCache *)(uintptr_t)cache, call->batch, call->tokens,
                                       x, &call->options, y),
                  expected, words, what);
  float *const left = copy_cache(call->context, call->cache);
  assert_memory_equal(cached, left, BATCH * PAST * ROW * sizeof *cached);
  assert_memory_equal(x_before, call->x, BATCH * NEW * 16 * sizeof *x_before);
  for (size_t i = 0; i < BATCH * NEW * 16; i++) assert_true(is_untouched(call->y + i));
  free(x_before);
  free(cached);
  free(left);
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
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_CACHE_FULL, "32", "a token too many");
  c.tokens = 100000;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_CACHE_FULL, "100000", "many too many");
  c.tokens = SIZE_MAX;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_OVERFLOW, "18446744073709551615",
                "tokens without end");
  c.tokens = SIZE_MAX / 2;
  layer_refused(&c, NULL, c.x, c.y, ATTEND_STATUS_OVERFLOW, "9223372036854775807",
                "tokens that cannot be counted");
  static const size_t twice[] = {1, 1}, missing[] = {0, 2};
  c.batch = 3;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "2 sequences",
                "more than the cache has");
  c.options.cache_sequences = twice;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "sequences 0 1", "one twice");
  c.options.cache_sequences = missing;
  layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "sequence 2", "one that is none");
  c.options.cache_sequences = twice;
  layer_refused(&c, NULL, c.x, c.y, ATTEND_STATUS_BAD_OPTION, "cache_sequences", "but no cache");
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
    AttendCache *other = cache_open(c.context, &others[k], BATCH, CAPACITY);
    layer_refused(&c, other, c.x, c.y, ATTEND_STATUS_SHAPE_MISMATCH, "6", "another layer's cache");
    assert_int_equal(attend_cache_length(other, 0), 0);
    attend_close_cache(&other);
  }
  require_refusal(c.context,
                  attend_layer_forward(c.context, NULL, NULL, 1, 1, c.x, &c.options, c.y),
                  ATTEND_STATUS_NULL_POINTER, "weights", "no weights");
  assert_ok(c.context,
            attend_layer_forward(c.context, c.weights, c.cache, BATCH, 2, c.x, &c.options, c.y));
  for (size_t b = 0; b < BATCH; b++) assert_int_equal(attend_cache_length(c.cache, b), CAPACITY);
  layer_call_free(&c);
}

static void layers(void **state) {
  (void)state;
  for_each_engine(check_layer_errors);
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
    AttendSettings settings =
        engine_settings((Engine){paths[k], ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2);
    settings.score_memory_limit_bytes = 5;
    LayerCall c = layer_call((Engine){paths[k], ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32});
    attend_close(&c.context);
    assert_ok(NULL, attend_open(&c.context, &settings));
    layer_refused(&c, c.cache, c.x, c.y, ATTEND_STATUS_MEMORY_LIMIT, "5", "five bytes");
    layer_call_free(&c);
  }
}

/* A call that opens a cache, and what is said of it. */
typedef struct OpenCall {
  AttendLayerShape shape;
  AttendCacheSettings settings;
  AttendStatus status;
  const char *words;
} OpenCall;

static void opening_is_refused(AttendContext *context, const OpenCall *call) {
  AttendCache *cache = (AttendCache *)(void *)&context;
  require_refusal(context, attend_open_cache(context, &call->shape, &call->settings, &cache),
                  call->status, call->words, call->words);
  assert_null(cache);
}

static void caches_of_bad_sizes(void **state) {
  (void)state;
  AttendContext *context = auto_open(1);
  const AttendLayerShape s = {16, 4, 2, 6, 10};
  const struct {
    AttendLayerShape shape;
    size_t sequences, capacity, pool_blocks;
    AttendStatus status;
    const char *words;
  } calls[] = {
      {s, 0, 5, 0, ATTEND_STATUS_BAD_SIZE, "settings.sequences"},
      {s, 5, 0, 0, ATTEND_STATUS_BAD_SIZE, "settings.capacity"},
      {{16, 0, 2, 6, 10}, 1, 1, 0, ATTEND_STATUS_BAD_SIZE, "query_heads"},
      {{16, 4, 0, 6, 10}, 1, 1, 0, ATTEND_STATUS_BAD_SIZE, "kv_heads"},
      {{16, 4, 2, 0, 10}, 1, 1, 0, ATTEND_STATUS_BAD_SIZE, "head_dim"},
      {{16, 4, 2, 6, 0}, 1, 1, 0, ATTEND_STATUS_BAD_SIZE, "value_dim"},
      {{16, 5, 2, 6, 10}, 1, 1, 0, ATTEND_STATUS_BAD_HEADS, "5"},
      {s, SIZE_MAX / 2, 3, 0, ATTEND_STATUS_OVERFLOW, "9223372036854775807"},
      {s, SIZE_MAX / 2, 3, 1, ATTEND_STATUS_OVERFLOW, "9223372036854775807"},
      {s, 1, SIZE_MAX - 5, 0, ATTEND_STATUS_OVERFLOW, "18446744073709551610"},
      {s, 1, 1, SIZE_MAX / 8, ATTEND_STATUS_OVERFLOW, "2305843009213693951"},
      {s, (size_t)1 << 31, (size_t)1 << 31, 0, ATTEND_STATUS_OVERFLOW, "2147483648"},
      {{16, 4, 2, SIZE_MAX / 4, 10}, 1, 1, 0, ATTEND_STATUS_OVERFLOW, "4611686018427387903"},
      {{16, 4, 2, 6, SIZE_MAX}, 1, 1, 0, ATTEND_STATUS_OVERFLOW, "18446744073709551615"},
      {s, 1, (size_t)1 << 50, 0, ATTEND_STATUS_OUT_OF_MEMORY, "bytes"},
      {s, 1, 1, (size_t)1 << 44, ATTEND_STATUS_OUT_OF_MEMORY, "bytes"},
  };
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    OpenCall call = {calls[k].shape, {0}, calls[k].status, calls[k].words};
    attend_default_cache_settings(&call.settings);
    call.settings.sequences = calls[k].sequences;
    call.settings.capacity = calls[k].capacity;
    call.settings.pool_blocks = calls[k].pool_blocks;
    opening_is_refused(context, &call);
  }
  const AttendLayerShape widthless = {0, 4, 2, 6, 10};
  AttendCache *cache = cache_open(context, &widthless, 1, 1);
  attend_close_cache(&cache);
  attend_close_cache(&cache);
  attend_close(&context);
}

static void caches_of_bad_settings(void **state) {
  (void)state;
  AttendContext *context = auto_open(1);
  AttendCacheSettings right;
  attend_default_cache_settings(&right);
  right.capacity = 100;
  OpenCall calls[9];
  for (size_t k = 0; k < COUNT_OF(calls); k++)
    calls[k] = (OpenCall){layer_shape, right, ATTEND_STATUS_BAD_OPTION, "block_tokens"};
  calls[0].settings.struct_size = 0;
  calls[0].words = "struct_size 0";
  calls[1].settings.struct_size += 8;
  calls[1].words = "struct_size";
  calls[2].settings.block_tokens = 0;
  calls[3].settings.block_tokens = 16;
  calls[4].settings.block_tokens = 96;
  calls[5].settings.block_tokens = 256;
  calls[6].settings.storage = (AttendStorage)ATTEND_STORAGE_COUNT;
  calls[6].words = "storage 6";
  calls[7].settings.window = 50;
  calls[7].settings.pool_blocks = 3;
  calls[7].words = "settings.window 50 settings.pool_blocks 3";
  calls[8].settings.window = 128; /* all that the one block holds */
  calls[8].words = "window 128";
  for (size_t k = 0; k < COUNT_OF(calls); k++) opening_is_refused(context, &calls[k]);

  AttendCache *cache = NULL;
  require_refusal(context, attend_open_cache(context, NULL, &right, &cache),
                  ATTEND_STATUS_NULL_POINTER, "shape", "no shape");
  require_refusal(context, attend_open_cache(context, &layer_shape, NULL, &cache),
                  ATTEND_STATUS_NULL_POINTER, "settings", "no settings");
  require_refusal(context, attend_open_cache(context, &layer_shape, &right, NULL),
                  ATTEND_STATUS_NULL_POINTER, "cache", "no cache");
  attend_close(&context);
}

static void appending(void **state) {
  (void)state;
  LayerCall c = layer_call((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32});
  float *const data = new_random(1, 1.0f, 1000);
  const AttendView right = attend_view_bnhd(data, 3, 2, 10);
  const AttendView null = {NULL, 60, 20, 10}, odd = {off_by_a_byte(data), 60, 20, 10};
  const AttendView endless = {data, 60, SIZE_MAX / 2, 10};
  const struct {
    size_t sequence, tokens;
    AttendView key, value;
    AttendStatus status;
    const char *words;
  } calls[] = {
      {1, 3, right, right, ATTEND_STATUS_CACHE_FULL, "sequence 1"},
      {0, SIZE_MAX - 7, right, right, ATTEND_STATUS_CACHE_FULL, "18446744073709551608"},
      {2, 1, right, right, ATTEND_STATUS_BAD_SIZE, "sequence 2"},
      {SIZE_MAX, 0, right, right, ATTEND_STATUS_BAD_SIZE, "18446744073709551615"},
      {0, 1, null, right, ATTEND_STATUS_NULL_POINTER, "key"},
      {0, 1, right, null, ATTEND_STATUS_NULL_POINTER, "value"},
      {0, 1, odd, right, ATTEND_STATUS_MISALIGNED, "key"},
      {0, 1, right, odd, ATTEND_STATUS_MISALIGNED, "value"},
      {0, 2, endless, right, ATTEND_STATUS_OVERFLOW, "key"},
      {0, 2, right, endless, ATTEND_STATUS_OVERFLOW, "value"},
  };
  float *const before = copy_cache(c.context, c.cache);
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    require_refusal(c.context,
                    attend_append_cache(c.context, c.cache, calls[k].sequence, calls[k].tokens,
                                        calls[k].key, calls[k].value),
                    calls[k].status, calls[k].words, calls[k].words);
    float *const after = copy_cache(c.context, c.cache);
    assert_memory_equal(before, after, BATCH * PAST * ROW * sizeof *before);
    free(after);
  }
  free(before);
  require_refusal(c.context, attend_append_cache(c.context, NULL, 0, 1, right, right),
                  ATTEND_STATUS_NULL_POINTER, "cache", "no cache");
  assert_ok(c.context, attend_append_cache(c.context, c.cache, 0, 0, null, null));
  assert_int_equal(attend_truncate_cache(c.cache, 0, PAST + 1), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(attend_truncate_cache(c.cache, 0, SIZE_MAX), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(attend_truncate_cache(c.cache, BATCH, 0), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(attend_cache_length(c.cache, 0), PAST);
  free(data);
  layer_call_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layers),
      cmocka_unit_test(layer_workspaces),
      cmocka_unit_test(layer_memory_limit),
      cmocka_unit_test(caches_of_bad_sizes),
      cmocka_unit_test(caches_of_bad_settings),
      cmocka_unit_test(appending),
  };
  return cmocka_run_group_tests_name("errors_layer", tests, NULL, NULL);
}
