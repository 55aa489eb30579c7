/* test_cache_ring.c - sequences without end in a cache that keeps their last tokens. */
#include "tests/support/cache_model.h"

#include <string.h>

static const AttendLayerShape small = {16, 2, 2, 5, 3};

static AttendCacheSettings ring_of(size_t sequences, size_t capacity, size_t window,
                                   size_t block_tokens) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.capacity = capacity;
  settings.window = window;
  settings.block_tokens = block_tokens;
  return settings;
}

/* Token by token, as in decode, many times around; never less than the window is kept, and in fact
 * as much as the capacity holds. */
static void a_ring_goes_on(void **state) {
  (void)state;
  const AttendCacheSettings settings = ring_of(1, 64, 63, 32);
  CacheModel m = model_open(&small, &settings);
  for (size_t length = 1; length <= 500; length++) {
    assert_true(model_append(&m, 0, 1));
    assert_int_equal(attend_cache_length(m.cache, 0), length);
    assert_int_equal(attend_cache_first(m.cache, 0), length < 64 ? 0 : length - 64);
  }
  model_close(&m);
}

/* New tokens must leave the window before them in place; a sequence that does not fill the ring yet
 * may take what is left of it. */
static void appends_leave_the_window(void **state) {
  (void)state;
  const AttendCacheSettings settings = ring_of(1, 100, 40, 64);
  CacheModel m = model_open(&small, &settings); /* of 128 tokens */
  assert_false(model_append(&m, 0, 129));
  require_words(m.sentence, "128", "more than the ring holds");
  assert_true(model_append(&m, 0, 20));
  assert_false(model_append(&m, 0, 109));
  assert_true(model_append(&m, 0, 108));
  assert_int_equal(attend_cache_first(m.cache, 0), 0);
  assert_false(model_append(&m, 0, 89));
  assert_true(model_append(&m, 0, 88));
  assert_int_equal(attend_cache_first(m.cache, 0), 216 - 128);
  assert_true(model_append(&m, 0, 88));
  const AttendView none = {0};
  require_refusal(m.context, attend_append_cache(m.context, m.cache, 0, SIZE_MAX, none, none),
                  ATTEND_STATUS_CACHE_FULL, "18446744073709551615", "tokens without end");
  model_check(&m);
  model_close(&m);
}

/* Back only as far as the window behind the new end is still there, also after going forward again:
 * what was overwritten once does not come back. */
static void rollback_keeps_the_window(void **state) {
  (void)state;
  const AttendCacheSettings settings = ring_of(2, 64, 20, 32);
  CacheModel m = model_open(&small, &settings);
  assert_true(model_append(&m, 1, 50));
  assert_true(model_truncate(&m, 1, 3));
  assert_true(model_append(&m, 1, 61));
  assert_true(model_append(&m, 1, 36)); /* 36 .. 100 are kept */
  assert_false(model_truncate(&m, 1, 55));
  assert_false(model_truncate(&m, 1, 35));
  assert_false(model_truncate(&m, 1, 1));
  assert_false(model_truncate(&m, 1, 101));
  assert_true(model_truncate(&m, 1, 56));
  assert_int_equal(attend_cache_first(m.cache, 1), 36);
  assert_true(model_append(&m, 1, 8));
  assert_int_equal(attend_cache_first(m.cache, 1), 36);
  assert_false(model_truncate(&m, 1, 55));
  assert_true(model_append(&m, 1, 37));
  assert_int_equal(attend_cache_first(m.cache, 1), 101 - 64);
  assert_true(model_truncate(&m, 1, 0));
  assert_int_equal(attend_cache_first(m.cache, 1), 0);
  assert_true(model_append(&m, 1, 64));
  model_close(&m);
}

static void a_ring_is_forked_as_it_is(void **state) {
  (void)state;
  const AttendCacheSettings settings = ring_of(3, 96, 50, 32);
  CacheModel m = model_open(&small, &settings);
  assert_true(model_append(&m, 0, 90));
  assert_true(model_fork(&m, 0, 2, 90));
  assert_true(model_append(&m, 0, 40));
  assert_true(model_fork(&m, 0, 1, 130));
  assert_int_equal(attend_cache_first(m.cache, 1), 130 - 96);
  require_refusal(m.context, attend_fork_cache(m.context, m.cache, 0, 2, 129),
                  ATTEND_STATUS_BAD_SIZE, "130", "a fork in the past");
  require_refusal(m.context, attend_fork_cache(m.context, m.cache, 0, 2, 0), ATTEND_STATUS_BAD_SIZE,
                  "130", "a fork at the beginning");
  assert_true(model_truncate(&m, 1, 100));
  assert_true(model_fork(&m, 1, 2, 100));
  assert_int_equal(attend_cache_first(m.cache, 2), 130 - 96);
  for (size_t s = 0; s < 3; s++) assert_true(model_append(&m, s, 5 + s));
  model_close(&m);
}

/* Nothing that was stored beside a token changes when its place is taken: many small rings, written
 * in pieces of all sizes. */
static void pieces_of_all_sizes(void **state) {
  (void)state;
  const AttendCacheSettings settings = ring_of(1, 128, 32, 64);
  for (size_t piece = 2; piece <= 96; piece++) {
    CacheModel m = model_open(&small, &settings);
    while (m.sequences[0].length < 400) assert_true(model_append(&m, 0, piece));
    model_close(&m);
  }
}

static void random_operations_agree_with_the_model(void **state) {
  (void)state;
  static const struct {
    AttendLayerShape shape;
    size_t capacity, window, block_tokens;
  } cases[] = {{{64, 4, 2, 80, 48}, 150, 70, 32},
               {{64, 4, 2, 1, 33}, 256, 20, 64},
               {{64, 3, 1, 33, 1}, 300, 250, 128},
               {{64, 6, 3, 5, 7}, 32, 31, 32}};
  const ModelCounts least = {.appends = 1000,
                             .full_appends = 5,
                             .truncations = 500,
                             .refused_truncations = 50,
                             .forks = 200,
                             .refused_forks = 50};
  for (size_t k = 0; k < COUNT_OF(cases); k++) {
    const AttendCacheSettings settings =
        ring_of(3, cases[k].capacity, cases[k].window, cases[k].block_tokens);
    model_run(&cases[k].shape, &settings, 300 + k, 6000, &least);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_ring_goes_on),
      cmocka_unit_test(appends_leave_the_window),
      cmocka_unit_test(rollback_keeps_the_window),
      cmocka_unit_test(a_ring_is_forked_as_it_is),
      cmocka_unit_test(pieces_of_all_sizes),
      cmocka_unit_test(random_operations_agree_with_the_model),
  };
  return cmocka_run_group_tests_name("cache_ring", tests, NULL, NULL);
}
