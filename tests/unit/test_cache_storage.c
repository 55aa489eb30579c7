/* test_cache_storage.c - caches in 16 bits: what they hold, what they take, and what must not leak.
 *
 * Two tokens share the words of a page in which their values stand. Random operations on caches of
 * terms are in the tests of caches, pools and rings; bits from caches of every storage are in
 * test_same_bits_cached.c.
 */
#include "tests/support/core_check.h"
#include "tests/support/core_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const AttendLayerShape shape = {64, 4, 2, 40, 48};

static AttendCache *open_cache(AttendContext *context, AttendStorage storage, size_t block_tokens,
                               size_t capacity, size_t window) {
  AttendCacheSettings settings;
  AttendCache *cache = NULL;
  attend_default_cache_settings(&settings);
  settings.storage = storage;
  settings.block_tokens = block_tokens;
  settings.capacity = capacity;
  settings.window = window;
  assert_ok(context, attend_open_cache(context, &shape, &settings, &cache));
  return cache;
}

static void append(AttendContext *context, AttendCache *cache, const float *key, const float *value,
                   size_t tokens) {
  assert_ok(context, attend_append_cache(context, cache, 0, tokens,
                                         attend_view_bnhd(key, tokens, 2, shape.head_dim),
                                         attend_view_bnhd(value, tokens, 2, shape.value_dim)));
}

/* Numbers of all sizes come back as their storage rounds them, whatever the pieces. */
static void numbers_come_back_rounded(void **state) {
  (void)state;
  enum { TOKENS = 150 };
  static const size_t pieces[] = {1, 3, 32, 47, TOKENS}, pages[] = {32, 64, 128};
  const size_t keys = TOKENS * 2 * shape.head_dim, values = TOKENS * 2 * shape.value_dim;
  float *const key = new_random(1, 1.0f, keys), *const value = new_random(2, 1.0f, values);
  for (size_t i = 0; i < keys; i++) key[i] = ldexpf(key[i], (int)(i % 61) - 30);
  AttendContext *context = auto_open(1);
  for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
    for (size_t k = 0; k < COUNT_OF(pieces) * COUNT_OF(pages); k++) {
      const size_t piece = pieces[k / COUNT_OF(pages)];
      AttendCache *cache =
          open_cache(context, (AttendStorage)storage, pages[k % COUNT_OF(pages)], TOKENS, 0);
      for (size_t j = 0; j < TOKENS; j += piece)
        append(context, cache, key + j * 2 * shape.head_dim, value + j * 2 * shape.value_dim,
               TOKENS - j < piece ? TOKENS - j : piece);
      StoredRows rows = cache_read(context, cache, &shape, 0, 0, TOKENS);
      for (size_t i = 0; i < keys; i++)
        assert_true(rows.key[i] == stored_number(key[i], (AttendStorage)storage));
      for (size_t i = 0; i < values; i++)
        assert_true(rows.value[i] == stored_number(value[i], (AttendStorage)storage));
      stored_rows_free(&rows);
      attend_close_cache(&cache);
    }
  }
  attend_close(&context);
  free(key);
  free(value);
}

/* Where fp16 ends: infinity from the middle between its largest number and the next on, and
 * multiples of 2^-24 below its normal numbers, of which half of the least is a tie that becomes
 * zero. */
static void ends_of_fp16(void **state) {
  (void)state;
  static const float numbers[][2] = {{65504.0f, 65504.0f}, {0x1.ffdffep15f, 65504.0f},
                                     {65520.0f, INFINITY}, {-65520.0f, -INFINITY},
                                     {0x1p127f, INFINITY}, {-INFINITY, -INFINITY},
                                     {0x1p-14f, 0x1p-14f}, {0x1.ff8p-15f, 0x1.ff8p-15f},
                                     {0x1p-24f, 0x1p-24f}, {-0x1.8p-24f, -0x1p-23f},
                                     {0x1p-25f, 0.0f},     {0x1.000002p-25f, 0x1p-24f},
                                     {0x1.002p0f, 1.0f},   {0x1.006p0f, 0x1.008p0f},
                                     {0x1p-140f, 0.0f},    {NAN, NAN}};
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas), K = 2 * shape.head_dim, V = 2 * shape.value_dim;
  float *const key = new_random(1, 1.0f, K), *const value = new_random(2, 1.0f, V);
  for (size_t i = 0; i < COUNT_OF(numbers); i++) key[i] = value[i] = numbers[i][0];
  for (size_t k = 0; k < count; k++) {
    AttendContext *context =
        engine_open((Engine){ATTEND_PATH_TILED, isas[k], ATTEND_PRECISION_FP32}, 1);
    AttendCache *cache = open_cache(context, ATTEND_STORAGE_FP16, 32, 32, 0);
    append(context, cache, key, value, 1);
    StoredRows rows = cache_read(context, cache, &shape, 0, 0, 1);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
      const float got = rows.key[i], expected = numbers[i][1];
      if (isnan(expected) ? !isnan(got) : got != expected)
        fail_msg("isa=%s: %a is %a in fp16, not %a", attend_isa_name(isas[k]),
                 (double)numbers[i][0], (double)got, (double)expected);
      assert_memory_equal(&rows.value[i], &got, sizeof got);
    }
    stored_rows_free(&rows);
    attend_close_cache(&cache);
    attend_close(&context);
  }
  free(key);
  free(value);
}

/* A plan says where K and V come from and what numbers they are. */
static void plans_name_what_is_stored(void **state) {
  (void)state;
  static const struct {
    AttendPrecision precision;
    AttendStorage storage;
    size_t queries;
    const char *words;
  } cases[] = {
      {ATTEND_PRECISION_FP32, ATTEND_STORAGE_FP32, 1, "from the cache as packed,"},
      {ATTEND_PRECISION_FP32, ATTEND_STORAGE_BF16, 1, "from the cache as packed (1 bf16 term)"},
      {ATTEND_PRECISION_FP32, ATTEND_STORAGE_FP16, 1, "from the cache as packed in fp16"},
      {ATTEND_PRECISION_FP32, ATTEND_STORAGE_FP16, 100, "widened tile by tile from fp16"},
      {ATTEND_PRECISION_BF16X3, ATTEND_STORAGE_FP16, 1,
       "converted tile by tile from fp16 (2 bf16 terms)"},
      {ATTEND_PRECISION_BF16X3, ATTEND_STORAGE_FP32, 1, "converted tile by tile (2 bf16 terms)"}};
  for (size_t k = 0; k < COUNT_OF(cases); k++) {
    const Engine engine = {ATTEND_PATH_TILED, ATTEND_ISA_AUTO, cases[k].precision};
    const AttendShape s = {1, cases[k].queries, 0, 4, 2, shape.head_dim, shape.value_dim};
    AttendContext *context = engine_open(engine, 2);
    AttendCache *cache = open_cache(context, cases[k].storage, 128, 2200, 0);
    float *const rows = new_random(1, 1.0f, 2100 * 2 * shape.value_dim);
    AttendPlan plan = {.struct_size = sizeof plan};
    AttendOptions options;
    attend_default_options(&options);
    append(context, cache, rows, rows, 2100);
    assert_ok(context, attend_plan_cached(context, &s, cache, &options, &plan));
    if (!strstr(plan.verdicts[ATTEND_PATH_TILED].reason, cases[k].words))
      fail_msg("the plan says \"%s\", not \"%s\"", plan.verdicts[ATTEND_PATH_TILED].reason,
               cases[k].words);
    free(rows);
    attend_close_cache(&cache);
    attend_close(&context);
  }
}

static void bytes_of_a_token(void **state) {
  (void)state;
  static const size_t bytes[ATTEND_STORAGE_COUNT] = {0, 4, 2, 4, 6, 2};
  static const AttendLayerShape whole = {256, 4, 2, 128, 128};
  static const AttendStorage own[ATTEND_PRECISION_COUNT] = {
      [ATTEND_PRECISION_FP32] = ATTEND_STORAGE_FP32,
      [ATTEND_PRECISION_BF16X6] = ATTEND_STORAGE_BF16X3,
      [ATTEND_PRECISION_BF16X3] = ATTEND_STORAGE_BF16X2,
      [ATTEND_PRECISION_BF16] = ATTEND_STORAGE_BF16};
  for (int p = 0; p < ATTEND_PRECISION_COUNT; p++) {
    AttendContext *context =
        engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, (AttendPrecision)p}, 1);
    for (int storage = 0; storage < ATTEND_STORAGE_COUNT; storage++) {
      const int resolved = storage == ATTEND_STORAGE_AUTO ? (int)own[p] : storage;
      AttendCacheSettings settings;
      AttendCache *cache = NULL;
      attend_default_cache_settings(&settings);
      settings.storage = (AttendStorage)storage;
      settings.capacity = 256;
      assert_ok(context, attend_open_cache(context, &whole, &settings, &cache));
      assert_int_equal(attend_cache_token_bytes(cache), 2 * (128 + 128) * bytes[resolved]);
      attend_close_cache(&cache);
    }
    attend_close(&context);
  }
}

/* The last `queries` tokens' attention over what the cache holds. */
static Result attend_last(AttendContext *context, const AttendCache *cache, const float *query,
                          size_t queries, const AttendOptions *options) {
  const AttendShape s = {1, queries, 0, 4, 2, shape.head_dim, shape.value_dim};
  Result result = {.out_floats = queries * 4 * s.value_dim, .lse_floats = 4 * queries};
  result.out = guarded_new(result.out_floats * sizeof(float), 0);
  result.lse = guarded_new(result.lse_floats * sizeof(float), 0);
  assert_ok(context, attend_cached_forward(context, &s, cache,
                                           attend_view_bnhd(query, queries, 4, s.head_dim), options,
                                           attend_output_bnhd(result.out, queries, 4, s.value_dim),
                                           result.lse));
  return result;
}

/* The last queries give the same finite bits over both caches. */
static void expect_same_attention(AttendContext *context, const AttendCache *cache,
                                  const AttendCache *clean, const float *query, size_t queries,
                                  const AttendOptions *options) {
  Result got = attend_last(context, cache, query, queries, options);
  Result expected = attend_last(context, clean, query, queries, options);
  for (size_t i = 0; i < got.out_floats; i++) assert_true(isfinite(got.out[i]));
  assert_memory_equal(got.out, expected.out, got.out_floats * sizeof(float));
  assert_memory_equal(got.lse, expected.lse, got.lse_floats * sizeof(float));
  result_free(&got);
  result_free(&expected);
}

/* Calls check(engine, storage, block_tokens) for every engine, storage and size of pages. */
static void for_each_cache(void (*check)(Engine engine, AttendStorage storage,
                                         size_t block_tokens)) {
  Engine engines[MAX_TILED_ENGINES];
  const size_t count = list_tiled_engines(engines);
  for (size_t k = 0; k < count; k++)
    for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++)
      for (size_t block = 32; block <= 128; block *= 2)
        check(engines[k], (AttendStorage)storage, block);
}

/* Tokens of NaN, taken back; what follows is appended token by token and in one piece. */
static void check_rollback(Engine engine, AttendStorage storage, size_t block_tokens) {
  enum { KEPT = 37, BAD = 50, MORE = 9 };
  const size_t K = 2 * shape.head_dim, V = 2 * shape.value_dim;
  float *const key = new_random(3, 1.0f, (KEPT + MORE) * K);
  float *const value = new_random(4, 1.0f, (KEPT + MORE) * V);
  float *const query = new_random(5, 1.0f, MORE * 4 * shape.head_dim);
  float *const bad = new_bytes(BAD * V * sizeof *bad);
  for (size_t i = 0; i < BAD * V; i++) bad[i] = i % 2 ? NAN : INFINITY;
  AttendContext *context = engine_open(engine, 1);
  AttendOptions options;
  attend_default_options(&options);
  AttendCache *clean = open_cache(context, storage, block_tokens, 160, 0);
  append(context, clean, key, value, KEPT + MORE);
  for (size_t queries = 1; queries <= MORE; queries += MORE - 1) {
    AttendCache *cache = open_cache(context, storage, block_tokens, 160, 0);
    append(context, cache, key, value, KEPT);
    append(context, cache, bad, bad, BAD);
    assert_int_equal(attend_truncate_cache(cache, 0, KEPT), ATTEND_OK);
    for (size_t j = KEPT; j < KEPT + MORE; j += MORE / queries)
      append(context, cache, key + j * K, value + j * V, MORE / queries);
    expect_same_attention(context, cache, clean, query, queries, &options);
    attend_close_cache(&cache);
  }
  attend_close_cache(&clean);
  attend_close(&context);
  free(key);
  free(value);
  free(query);
  free(bad);
}

static void tokens_taken_back_do_not_leak(void **state) {
  (void)state;
  for_each_cache(check_rollback);
}

/* A ring in which every token outside the window is NaN, at each place of its step in turn: those
 * that are still kept stand beside the newest ones. */
static void check_ring(Engine engine, AttendStorage storage, size_t block_tokens) {
  enum { WINDOW = 40, TOKENS = 88 };
  const size_t K = 2 * shape.head_dim, V = 2 * shape.value_dim;
  float *const key = new_random(6, 1.0f, TOKENS * K), *const value =
                                                          new_random(7, 1.0f, TOKENS * V);
  float *const query = new_random(8, 1.0f, 4 * shape.head_dim);
  AttendContext *context = engine_open(engine, 1);
  AttendOptions options;
  attend_default_options(&options);
  options.window_left = WINDOW - 1;
  AttendCache *cache = open_cache(context, storage, block_tokens, 128, WINDOW);
  AttendCache *clean = open_cache(context, storage, block_tokens, 128, WINDOW);
  float *const bad = new_bytes(TOKENS * V * sizeof *bad);
  for (size_t i = 0; i < TOKENS * V; i++) bad[i] = i % 3 ? NAN : -INFINITY;
  for (size_t turn = 0; turn < 12; turn++) {
    const size_t before = 60 + 5 * turn % 29;
    append(context, cache, bad, bad, before);
    append(context, clean, key, value, before);
    for (size_t j = 0; j < WINDOW; j++) {
      append(context, cache, key + j * K, value + j * V, 1);
      append(context, clean, key + j * K, value + j * V, 1);
    }
    expect_same_attention(context, cache, clean, query, 1, &options);
  }
  attend_close_cache(&cache);
  attend_close_cache(&clean);
  attend_close(&context);
  free(key);
  free(value);
  free(query);
  free(bad);
}

static void tokens_before_the_window_do_not_leak(void **state) {
  (void)state;
  for_each_cache(check_ring);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_come_back_rounded),
      cmocka_unit_test(ends_of_fp16),
      cmocka_unit_test(plans_name_what_is_stored),
      cmocka_unit_test(bytes_of_a_token),
      cmocka_unit_test(tokens_taken_back_do_not_leak),
      cmocka_unit_test(tokens_before_the_window_do_not_leak),
  };
  return cmocka_run_group_tests_name("cache_storage", tests, NULL, NULL);
}
