/* test_cache.c - keys and values of past tokens as they are stored: appended, rolled back, read
 * again.
 *
 * Pools are in test_cache_pages.c, rings in test_cache_ring.c, layers over a cache in
 * test_cache_layer.c, and what a failed call leaves behind in test_errors_layer.c.
 */
#include "tests/support/cache_model.h"
#include "tests/support/core_problem.h"

#include <stdlib.h>
#include <string.h>

#include "cache/kvcache.h"

static const AttendLayerShape shapes[] = {{64, 4, 2, 16, 16},
                                          {60, 6, 1, 20, 12},
                                          {48, 3, 3, 80, 48},
                                          {48, 3, 3, 1, 33},
                                          {896, 14, 2, 64, 64}};

static AttendCacheSettings settings_of(size_t sequences, size_t capacity, size_t block_tokens) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.capacity = capacity;
  settings.block_tokens = block_tokens;
  return settings;
}

static void the_defaults(void **state) {
  (void)state;
  AttendCacheSettings settings;
  memset(&settings, 0xa5, sizeof settings);
  attend_default_cache_settings(&settings);
  assert_int_equal(settings.struct_size, sizeof settings);
  assert_int_equal(settings.sequences, 1);
  assert_int_equal(settings.capacity, 0);
  assert_int_equal(settings.block_tokens, 128);
  assert_int_equal(settings.pool_blocks, 0);
  assert_int_equal(settings.window, 0);
  assert_int_equal(settings.storage, ATTEND_STORAGE_AUTO);
  attend_default_cache_settings(NULL);
}

/* Capacities are rounded up to pages, and values to panels of 32 columns. */
static void sizes_of_a_cache(void **state) {
  (void)state;
  static const struct {
    size_t capacity, block_tokens, rounded;
  } cases[] = {{1, 32, 32}, {32, 32, 32}, {33, 32, 64}, {100, 64, 128}, {1, 128, 128}};
  const AttendLayerShape shape = {48, 6, 3, 80, 48};
  const size_t token_bytes = 3 * (80 + 64) * sizeof(float);
  AttendContext *context = auto_open(1);
  for (size_t k = 0; k < COUNT_OF(cases); k++) {
    AttendCacheSettings settings = settings_of(2, cases[k].capacity, cases[k].block_tokens);
    AttendCache *cache = NULL;
    assert_ok(context, attend_open_cache(context, &shape, &settings, &cache));
    assert_int_equal(attend_cache_capacity(cache), cases[k].rounded);
    assert_int_equal(attend_cache_token_bytes(cache), token_bytes);
    const size_t rows = 2 * cases[k].rounded * token_bytes;
    assert_in_range(attend_cache_bytes(cache), rows, rows + 4096);
    assert_int_equal(attend_cache_free_blocks(cache), 0);
    for (size_t s = 0; s < 3; s++) {
      assert_int_equal(attend_cache_length(cache, s), 0);
      assert_int_equal(attend_cache_first(cache, s), 0);
    }
    attend_close_cache(&cache);
    settings.pool_blocks = 7;
    assert_ok(context, attend_open_cache(context, &shape, &settings, &cache));
    const size_t pool = 7 * cases[k].block_tokens * token_bytes;
    assert_int_equal(attend_cache_capacity(cache), cases[k].rounded);
    assert_in_range(attend_cache_bytes(cache), pool, pool + 4096);
    assert_int_equal(attend_cache_free_blocks(cache), 7);
    attend_close_cache(&cache);
  }
  attend_close(&context);
}

static void check_stored(AttendContext *context, const AttendCache *cache,
                         const AttendLayerShape *s, size_t batch, size_t length, AttendView key,
                         AttendView value) {
  for (size_t b = 0; b < batch; b++) {
    assert_int_equal(attend_cache_length(cache, b), length);
    StoredRows rows = cache_read(context, cache, s, b, 0, length);
    for (size_t r = 0; r < length * s->kv_heads; r++) {
      const size_t j = r / s->kv_heads, g = r % s->kv_heads;
      assert_memory_equal(rows.key + r * s->head_dim, problem_row(&key, b, j, g),
                          s->head_dim * sizeof(float));
      assert_memory_equal(rows.value + r * s->value_dim, problem_row(&value, b, j, g),
                          s->value_dim * sizeof(float));
    }
    stored_rows_free(&rows);
  }
}

static AttendView from_token(AttendView view, size_t token) {
  view.data += token * view.token_stride;
  return view;
}

/* Appends, rolls back, appends again up to the brim; the bytes come back as they went in. */
static void appended_tokens_come_back(void **state) {
  (void)state;
  enum { CAPACITY = 128, BATCH = 3 };
  static const size_t appends[] = {1, 0, 7, 32, 24, 64}, pages[] = {32, 64, 128};
  static const size_t lengths[] = {CAPACITY, 64, 55, 55, 3, 0};
  AttendContext *context = auto_open(2);
  for (size_t k = 0; k < COUNT_OF(shapes) * COUNT_OF(pages); k++) {
    const AttendLayerShape *const s = &shapes[k % COUNT_OF(shapes)];
    const AttendCacheSettings settings = settings_of(BATCH, CAPACITY, pages[k / COUNT_OF(shapes)]);
    float *const keys = new_random(71, 1.0f, BATCH * CAPACITY * s->kv_heads * s->head_dim);
    float *const values = new_random(72, 1.0f, BATCH * CAPACITY * s->kv_heads * s->value_dim);
    const AttendView key = attend_view_bnhd(keys, CAPACITY, s->kv_heads, s->head_dim);
    const AttendView value = attend_view_bhnd(values, CAPACITY, s->kv_heads, s->value_dim);
    AttendCache *cache = NULL;
    assert_ok(context, attend_open_cache(context, s, &settings, &cache));
    size_t length = 0;
    for (size_t a = 0; a < COUNT_OF(appends); a++) {
      cache_append(context, cache, BATCH, appends[a], from_token(key, length),
                   from_token(value, length));
      length += appends[a];
      check_stored(context, cache, s, BATCH, length, key, value);
    }
    assert_int_equal(length, CAPACITY);
    for (size_t t = 0; t < COUNT_OF(lengths); t++) {
      for (size_t b = 0; b < BATCH; b++)
        assert_int_equal(attend_truncate_cache(cache, b, lengths[t]), ATTEND_OK);
      check_stored(context, cache, s, BATCH, lengths[t], key, value);
    }
    cache_append(context, cache, BATCH, CAPACITY, key, value);
    check_stored(context, cache, s, BATCH, CAPACITY, key, value);
    attend_close_cache(&cache);
    free(keys);
    free(values);
  }
  attend_close(&context);
}

/* The order of memory that the kernels rely on, whether a panel came whole, in parts or token by
 * token; the columns that a last panel of values does not have are zero. */
static void tokens_lie_in_panels(void **state) {
  (void)state;
  enum { TOKENS = 150, P = KERNEL_PANEL };
  static const size_t pieces[] = {TOKENS, 1, 20, 33};
  const AttendLayerShape s = {16, 2, 2, 5, 40};
  float *const data = new_random(73, 1.0f, TOKENS * 2 * 40);
  const AttendView key = attend_view_bnhd(data, TOKENS, 2, 5);
  const AttendView value = attend_view_bnhd(data, TOKENS, 2, 40);
  AttendContext *context = auto_open(1);
  for (size_t k = 0; k < COUNT_OF(pieces); k++) {
    const AttendCacheSettings settings = settings_of(1, TOKENS, 64);
    AttendCache *cache = NULL;
    assert_ok(context, attend_open_cache(context, &s, &settings, &cache));
    for (size_t j = 0; j < TOKENS; j += pieces[k])
      cache_append(context, cache, 1, TOKENS - j < pieces[k] ? TOKENS - j : pieces[k],
                   from_token(key, j), from_token(value, j));
    for (size_t r = 0; r < 2 * TOKENS; r++) {
      const size_t g = r % 2, j = r / 2, at = j % 64;
      const StoredMatrix stored_keys = kvcache_keys(cache, 0, j / 64, g);
      const StoredMatrix stored_values = kvcache_values(cache, 0, j / 64, g);
      const float *const keys = stored_floats(&stored_keys, 0, 0);
      const float *const values = stored_floats(&stored_values, 0, 0);
      for (size_t d = 0; d < 5; d++)
        assert_memory_equal(&keys[at / P * 5 * P + d * P + at % P], problem_row(&key, 0, j, g) + d,
                            sizeof *keys);
      for (size_t c = 0; c < 64; c++) {
        const float expected = c < 40 ? problem_row(&value, 0, j, g)[c] : 0.0f;
        assert_memory_equal(&values[c / P * 64 * P + at * P + c % P], &expected, sizeof expected);
      }
    }
    attend_close_cache(&cache);
  }
  attend_close(&context);
  free(data);
}

/* Part of a sequence into rows with gaps, heads apart; nothing but the rows is written. */
static void tokens_are_read_into_any_view(void **state) {
  (void)state;
  enum { TOKENS = 70, FIRST = 29, COUNT = 37, GAP = 3 };
  const AttendLayerShape s = {48, 3, 3, 20, 12};
  float *const data = new_random(74, 1.0f, TOKENS * 3 * 20);
  const AttendView source = attend_view_bnhd(data, TOKENS, 3, 20);
  AttendContext *context = auto_open(1);
  AttendCache *cache = cache_open(context, &s, 1, TOKENS);
  cache_append(context, cache, 1, TOKENS, source, source);
  const size_t head = COUNT * (20 + GAP);
  float *const key = guarded_new(3 * head * sizeof *key, 4);
  float *const value = guarded_new(3 * head * sizeof *value, 8);
  assert_ok(context, attend_read_cache(context, cache, 0, FIRST, COUNT,
                                       (AttendOutputView){key, 0, 20 + GAP, head},
                                       (AttendOutputView){value, 0, 20 + GAP, head}));
  for (size_t r = 0; r < 3 * COUNT; r++) {
    const size_t g = r / COUNT, j = r % COUNT;
    const float *const row = problem_row(&source, 0, FIRST + j, g);
    for (size_t d = 0; d < 20 + GAP; d++) {
      const float *const got[] = {&key[r * (20 + GAP) + d], &value[r * (20 + GAP) + d]};
      for (size_t v = 0; v < 2; v++) {
        if (d < (v ? 12 : 20))
          assert_memory_equal(got[v], row + d, sizeof *row);
        else
          assert_true(is_untouched(got[v]));
      }
    }
  }
  guarded_free(key, "key");
  guarded_free(value, "value");
  attend_close_cache(&cache);
  attend_close(&context);
  free(data);
}

static void reading_that_is_refused(void **state) {
  (void)state;
  const AttendLayerShape s = {16, 4, 2, 6, 10};
  float *const data = new_random(75, 1.0f, 40 * 2 * 10);
  float *const out = guarded_new(40 * 2 * 10 * sizeof *out, 0);
  AttendContext *context = auto_open(1);
  AttendCache *cache = cache_open(context, &s, 2, 40);
  const AttendView source = attend_view_bnhd(data, 40, 2, 10);
  assert_ok(context, attend_append_cache(context, cache, 1, 40, source, source));
  const AttendOutputView right = attend_output_bnhd(out, 40, 2, 10), null = {NULL, 0, 20, 10};
  const AttendOutputView odd = {(float *)(uintptr_t)off_by_a_byte(out), 0, 20, 10};
  const AttendOutputView narrow = {out, 0, 20, 5}, endless = {out, 0, SIZE_MAX / 2, 10};
  const struct {
    size_t sequence, first, tokens;
    AttendOutputView key, value;
    AttendStatus status;
    const char *words;
  } calls[] = {
      {2, 0, 1, right, right, ATTEND_STATUS_BAD_SIZE, "sequence 2"},
      {SIZE_MAX, 0, 1, right, right, ATTEND_STATUS_BAD_SIZE, "18446744073709551615"},
      {0, 0, 1, right, right, ATTEND_STATUS_BAD_SIZE, "sequence 0"},
      {1, 0, 41, right, right, ATTEND_STATUS_BAD_SIZE, "41"},
      {1, 39, 2, right, right, ATTEND_STATUS_BAD_SIZE, "39"},
      {1, 41, 0, right, right, ATTEND_STATUS_BAD_SIZE, "41"},
      {1, 2, SIZE_MAX, right, right, ATTEND_STATUS_BAD_SIZE, "18446744073709551615"},
      {1, 0, 40, null, right, ATTEND_STATUS_NULL_POINTER, "key"},
      {1, 0, 40, right, null, ATTEND_STATUS_NULL_POINTER, "value"},
      {1, 0, 40, odd, right, ATTEND_STATUS_MISALIGNED, "key"},
      {1, 0, 40, right, odd, ATTEND_STATUS_MISALIGNED, "value"},
      {1, 0, 40, narrow, right, ATTEND_STATUS_BAD_STRIDE, "key"},
      {1, 0, 40, right, narrow, ATTEND_STATUS_BAD_STRIDE, "value"},
      {1, 0, 40, endless, right, ATTEND_STATUS_OVERFLOW, "key"},
      {1, 0, 40, right, endless, ATTEND_STATUS_OVERFLOW, "value"},
  };
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    require_refusal(context,
                    attend_read_cache(context, cache, calls[k].sequence, calls[k].first,
                                      calls[k].tokens, calls[k].key, calls[k].value),
                    calls[k].status, calls[k].words, calls[k].words);
    for (size_t i = 0; i < 40 * 2 * 10; i++) assert_true(is_untouched(out + i));
  }
  require_refusal(context, attend_read_cache(context, NULL, 0, 0, 1, right, right),
                  ATTEND_STATUS_NULL_POINTER, "cache", "no cache");
  assert_ok(context, attend_read_cache(context, cache, 1, 40, 0, null, null));
  attend_close_cache(&cache);
  attend_close(&context);
  guarded_free(out, "out");
  free(data);
}

/* Attention over two sequences of a cache, filled by `fill`, gives on every engine what the oracle
 * expects. */
static void check_cached(const CoreProblem *problem, const AttendOptions *options,
                         void (*fill)(AttendContext *context, AttendCache *cache,
                                      const CoreProblem *problem)) {
  const AttendLayerShape shape = {64, 4, 2, 16, 24};
  const size_t floats = 2 * 3 * 4 * 24;
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  for (size_t e = 0; e < engine_count; e++) {
    AttendContext *context = engine_open(engines[e], 2);
    AttendCache *cache = cache_open(context, &shape, 2, 50);
    fill(context, cache, problem);
    float *const out = guarded_new(floats * sizeof *out, 4);
    assert_ok(context, attend_cached_forward(context, &problem->spec.shape, cache, problem->query,
                                             options, attend_output_bnhd(out, 3, 4, 24), NULL));
    check_close(attend_path_name(engines[e].path), out, problem->out, floats);
    guarded_free(out, "out");
    attend_close_cache(&cache);
    attend_close(&context);
  }
}

static void fill_both(AttendContext *context, AttendCache *cache, const CoreProblem *problem) {
  cache_append(context, cache, 2, 50, problem->key, problem->value);
}

static void fill_second(AttendContext *context, AttendCache *cache, const CoreProblem *problem) {
  assert_ok(context, attend_append_cache(context, cache, 1, 50, problem->key, problem->value));
}

static const CoreCase cached = {.shape = {2, 3, 50, 4, 2, 16, 24}, .q_start = 47};

static void the_core_reads_the_cache(void **state) {
  (void)state;
  CoreProblem problem = problem_new(&cached);
  problem_expect(&problem);
  check_cached(&problem, NULL, fill_both);
  problem_free(&problem);
}

/* Nothing is written, so one sequence may serve several of the batch: hypotheses of one prompt, or
 * the tokens of an encoder for several decoders. */
static void one_sequence_is_read_by_several(void **state) {
  (void)state;
  static const size_t sequences[] = {1, 1};
  CoreProblem problem = problem_new(&cached);
  problem.key.batch_stride = problem.value.batch_stride = 0;
  problem_expect(&problem);
  AttendOptions options;
  attend_default_options(&options);
  options.cache_sequences = sequences;
  check_cached(&problem, &options, fill_second);
  problem_free(&problem);
}

static void random_operations_agree_with_the_model(void **state) {
  (void)state;
  static const struct {
    AttendLayerShape shape;
    size_t block_tokens, capacity;
  } cases[] = {
      {{64, 4, 2, 80, 48}, 32, 150}, {{64, 4, 2, 1, 33}, 64, 256}, {{64, 3, 1, 33, 1}, 128, 300}};
  const ModelCounts least = {.appends = 1000,
                             .full_appends = 100,
                             .truncations = 500,
                             .refused_truncations = 50,
                             .forks = 200,
                             .refused_forks = 50};
  for (size_t k = 0; k < COUNT_OF(cases); k++) {
    const AttendCacheSettings settings = settings_of(3, cases[k].capacity, cases[k].block_tokens);
    model_run(&cases[k].shape, &settings, 100 + k, 5000, &least);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_defaults),
      cmocka_unit_test(sizes_of_a_cache),
      cmocka_unit_test(appended_tokens_come_back),
      cmocka_unit_test(tokens_lie_in_panels),
      cmocka_unit_test(tokens_are_read_into_any_view),
      cmocka_unit_test(reading_that_is_refused),
      cmocka_unit_test(the_core_reads_the_cache),
      cmocka_unit_test(one_sequence_is_read_by_several),
      cmocka_unit_test(random_operations_agree_with_the_model),
  };
  return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
