/* test_cache.c - keys and values of past tokens as they are stored: appended, rolled back, read again.
 *
 * What a failed call leaves behind is in test_errors_layer.c; layers over a cache in
 * test_cache_layer.c.
 */
#include "tests/core_problem.h"

#include <stdlib.h>

static const AttendLayerShape shapes[] = {
    {64, 4, 2, 16, 16}, {60, 6, 1, 20, 12}, {48, 3, 3, 8, 40}, {896, 14, 2, 64, 64}};

static void check_stored(const AttendCache *cache, const AttendLayerShape *s, size_t batch,
                         size_t length, AttendView key, AttendView value) {
  assert_int_equal(attend_cache_length(cache), length);
  const AttendView keys = attend_cache_keys(cache), values = attend_cache_values(cache);
  for (size_t b = 0; b < batch; b++)
    for (size_t j = 0; j < length; j++)
      for (size_t g = 0; g < s->kv_heads; g++) {
        assert_memory_equal(problem_row(&keys, b, j, g), problem_row(&key, b, j, g),
                            s->head_dim * sizeof(float));
        assert_memory_equal(problem_row(&values, b, j, g), problem_row(&value, b, j, g),
                            s->value_dim * sizeof(float));
      }
}

static AttendView from_token(AttendView view, size_t token) {
  view.data += token * view.token_stride;
  return view;
}

/* Appends, rolls back, appends again up to the brim; the bytes come back as they went in. */
static void appended_tokens_come_back(void **state) {
  (void)state;
  enum { CAPACITY = 100, BATCH = 3 };
  static const size_t appends[] = {1, 0, 7, 32, 60};
  AttendContext *context = engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO}, 2);
  for (size_t k = 0; k < COUNT_OF(shapes); k++) {
    const AttendLayerShape *const s = &shapes[k];
    float *const keys = new_random(71, 1.0f, BATCH * CAPACITY * s->kv_heads * s->head_dim);
    float *const values = new_random(72, 1.0f, BATCH * CAPACITY * s->kv_heads * s->value_dim);
    const AttendView key = attend_view_bnhd(keys, CAPACITY, s->kv_heads, s->head_dim);
    const AttendView value = attend_view_bhnd(values, CAPACITY, s->kv_heads, s->value_dim);
    AttendCache *cache = NULL;
    assert_ok(context, attend_open_cache(context, s, BATCH, CAPACITY, &cache));
    assert_int_equal(attend_cache_length(cache), 0);
    assert_int_equal(attend_cache_capacity(cache), CAPACITY);
    assert_int_equal(attend_cache_token_bytes(cache),
                     s->kv_heads * (s->head_dim + s->value_dim) * sizeof(float));
    size_t length = 0;
    for (size_t a = 0; a < COUNT_OF(appends); a++) {
      assert_ok(context, attend_append_cache(context, cache, appends[a], from_token(key, length),
                                             from_token(value, length)));
      length += appends[a];
      check_stored(cache, s, BATCH, length, key, value);
    }
    assert_int_equal(length, CAPACITY);
    static const size_t lengths[] = {CAPACITY, 55, 55, 3, 0};
    for (size_t t = 0; t < COUNT_OF(lengths); t++) {
      assert_int_equal(attend_truncate_cache(cache, lengths[t]), ATTEND_OK);
      check_stored(cache, s, BATCH, lengths[t], key, value);
    }
    assert_ok(context, attend_append_cache(context, cache, CAPACITY, key, value));
    check_stored(cache, s, BATCH, CAPACITY, key, value);
    attend_close_cache(&cache);
    free(keys);
    free(values);
  }
  attend_close(&context);
}

/* A core call over the cache's views sees what was stored. */
static void the_core_reads_the_cache(void **state) {
  (void)state;
  const CoreCase spec = {.shape = {2, 3, 50, 4, 2, 16, 24}, .q_start = 47};
  Engine engines[MAX_ENGINES];
  const size_t engine_count = list_engines(engines);
  const AttendLayerShape shape = {64, 4, 2, 16, 24};
  for (size_t e = 0; e < engine_count; e++) {
    CoreProblem problem = problem_new(&spec);
    problem_expect(&problem);
    AttendContext *context = engine_open(engines[e], 2);
    AttendCache *cache = NULL;
    assert_ok(context, attend_open_cache(context, &shape, 2, 64, &cache));
    assert_ok(context, attend_append_cache(context, cache, 50, problem.key, problem.value));
    problem.key = attend_cache_keys(cache);
    problem.value = attend_cache_values(cache);
    problem_check(&problem, context, engines[e], 2);
    attend_close_cache(&cache);
    attend_close(&context);
    problem_free(&problem);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(appended_tokens_come_back),
      cmocka_unit_test(the_core_reads_the_cache),
  };
  return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
