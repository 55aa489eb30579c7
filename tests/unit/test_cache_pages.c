/* test_cache_pages.c - a pool of pages that sequences take, share, copy before writing, give
 * back. */
#include "tests/support/cache_model.h"

#include <string.h>

#include "cache/kvcache.h"

enum { PAGE = 32 };

static const AttendLayerShape small = {16, 2, 2, 5, 3};

static AttendCacheSettings pool_of(size_t sequences, size_t capacity, size_t pool_blocks) {
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.capacity = capacity;
  settings.block_tokens = PAGE;
  settings.pool_blocks = pool_blocks;
  return settings;
}

static CacheModel open_pool(size_t sequences, size_t capacity, size_t pool_blocks) {
  const AttendCacheSettings settings = pool_of(sequences, capacity, pool_blocks);
  return model_open(&small, &settings);
}

static void require_free(const CacheModel *model, size_t expected) {
  assert_int_equal(attend_cache_free_blocks(model->cache), expected);
}

static void blocks_come_and_go_with_the_tokens(void **state) {
  (void)state;
  CacheModel m = open_pool(2, 4 * PAGE, 5);
  require_free(&m, 5);
  assert_true(model_append(&m, 0, 1));
  require_free(&m, 4);
  assert_true(model_append(&m, 0, PAGE - 1));
  require_free(&m, 4);
  assert_true(model_append(&m, 0, 1));
  require_free(&m, 3);
  assert_true(model_append(&m, 1, 3 * PAGE));
  require_free(&m, 0);
  assert_true(model_append(&m, 0, PAGE - 1));
  assert_false(model_append(&m, 0, 1));
  require_words(m.sentence, "free 0 5", "a pool without a free block");
  assert_true(model_truncate(&m, 1, 2 * PAGE + 1));
  require_free(&m, 0);
  assert_true(model_truncate(&m, 1, 2 * PAGE));
  require_free(&m, 1);
  assert_true(model_append(&m, 0, PAGE));
  assert_false(model_append(&m, 1, 1));
  assert_true(model_truncate(&m, 0, 0));
  require_free(&m, 3);
  assert_false(model_append(&m, 1, 2 * PAGE + 1)); /* capacity, not the pool */
  assert_true(model_append(&m, 1, 2 * PAGE));
  model_close(&m);
}

static void a_fork_shares_full_blocks(void **state) {
  (void)state;
  CacheModel m = open_pool(4, 4 * PAGE, 8);
  assert_true(model_append(&m, 0, 3 * PAGE));
  require_free(&m, 5);
  assert_true(model_fork(&m, 0, 1, 3 * PAGE));
  assert_true(model_fork(&m, 0, 2, 2 * PAGE));
  require_free(&m, 5);
  assert_true(model_fork(&m, 1, 3, 2 * PAGE + 1)); /* one page of its own */
  require_free(&m, 4);
  for (size_t s = 0; s < 4; s++)
    assert_true(model_append(&m, s, 1)); /* no shared page is written */
  assert_int_equal(m.counts.copies, 0);
  require_free(&m, 1);
  assert_true(model_truncate(&m, 0, 0));
  require_free(&m, 2); /* the others still name its first three */
  assert_true(model_fork(&m, 3, 2, 0));
  assert_int_equal(attend_cache_length(m.cache, 2), 0);
  require_free(&m, 3);
  assert_true(model_truncate(&m, 1, 0));
  assert_true(model_truncate(&m, 3, 0));
  require_free(&m, 8);
  model_close(&m);
}

/* Rolled back into a page that both name, each writes a page of its own, and what the other reads
 * there stays. */
static void a_shared_block_is_copied_before_it_is_written(void **state) {
  (void)state;
  CacheModel m = open_pool(2, 4 * PAGE, 4);
  assert_true(model_append(&m, 0, 2 * PAGE));
  assert_true(model_fork(&m, 0, 1, 2 * PAGE));
  require_free(&m, 2);
  assert_true(model_truncate(&m, 1, PAGE + 5));
  assert_true(model_append(&m, 1, 3));
  assert_int_equal(m.counts.copies, 1);
  require_free(&m, 1);
  assert_true(model_truncate(&m, 0, PAGE + 7)); /* now alone in its page */
  assert_true(model_append(&m, 0, 9));
  assert_int_equal(m.counts.copies, 1);
  require_free(&m, 1);
  model_close(&m);
}

/* The copy needs a page like any other: without one the append is refused and nothing changes. */
static void a_copy_that_finds_no_block(void **state) {
  (void)state;
  CacheModel m = open_pool(3, 4 * PAGE, 3);
  assert_true(model_append(&m, 0, 2 * PAGE));
  assert_true(model_fork(&m, 0, 1, 2 * PAGE));
  assert_true(model_append(&m, 2, 1));
  require_free(&m, 0);
  assert_true(model_truncate(&m, 1, PAGE + 1));
  assert_false(model_append(&m, 1, 1));
  assert_false(model_append(&m, 1, PAGE));
  assert_true(model_append(&m, 1, 0));
  assert_true(model_truncate(&m, 2, 0));
  assert_false(model_append(&m, 1, PAGE)); /* the copy and one more */
  assert_true(model_append(&m, 1, PAGE - 1));
  require_free(&m, 0);
  model_close(&m);
}

/* A fork may use what the sequence that it replaces gives back, unless another names it too. */
static void a_fork_in_a_full_pool(void **state) {
  (void)state;
  CacheModel m = open_pool(4, 4 * PAGE, 4);
  assert_true(model_append(&m, 0, PAGE + 1));
  assert_true(model_append(&m, 1, 2 * PAGE));
  assert_true(model_fork(&m, 1, 2, 2 * PAGE));
  require_free(&m, 0);
  assert_false(model_fork(&m, 0, 2, PAGE + 1));
  require_words(m.sentence, "free none 4", "a pool without a free block");
  assert_false(model_fork(&m, 0, 3, 1));
  assert_true(model_fork(&m, 0, 3, PAGE));
  assert_true(model_truncate(&m, 2, PAGE));
  assert_true(model_fork(&m, 0, 1, PAGE + 1));
  require_free(&m, 0);
  model_close(&m);
}

static void forks_that_are_refused(void **state) {
  (void)state;
  CacheModel m = open_pool(3, 4 * PAGE, 8);
  assert_true(model_append(&m, 0, 40));
  static const struct {
    size_t from, to, length;
    const char *words;
  } calls[] = {{0, 0, 40, "from to 0"}, {3, 0, 0, "from 3"},
               {0, 3, 40, "to 3"},      {0, SIZE_MAX, 40, "18446744073709551615"},
               {0, 1, 41, "41"},        {1, 0, 1, "length 1"}};
  for (size_t k = 0; k < COUNT_OF(calls); k++) {
    require_refusal(
        m.context,
        attend_fork_cache(m.context, m.cache, calls[k].from, calls[k].to, calls[k].length),
        ATTEND_STATUS_BAD_SIZE, calls[k].words, calls[k].words);
    model_check(&m);
  }
  require_refusal(m.context, attend_fork_cache(m.context, NULL, 0, 1, 0),
                  ATTEND_STATUS_NULL_POINTER, "cache", "no cache");
  assert_int_equal(attend_fork_cache(NULL, m.cache, 0, 1, 0), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_truncate_cache(m.cache, 3, 0), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(attend_truncate_cache(m.cache, SIZE_MAX, 0), ATTEND_STATUS_BAD_SIZE);
  model_check(&m);
  model_close(&m);
}

/* Checks an append of several sequences, and fails the test unless it ends like that. */
static void require_check(CacheModel *m, const CacheAppend *append, AttendStatus expected,
                          const char *words) {
  Fault fault;
  fault_clear(&fault);
  const AttendStatus got = kvcache_check_append(m->cache, append, &fault);
  assert_int_equal(got, expected);
  if (expected != ATTEND_OK) require_words(fault.text, words, words);
  model_check(m);
}

/* Sequences 1, 2 and 3 end in one page that they share, at different places; 0 holds `pages`. */
static CacheModel open_shared(size_t pages) {
  CacheModel m = open_pool(4, 4 * PAGE, 6);
  assert_true(model_append(&m, 3, PAGE));
  assert_true(model_fork(&m, 3, 1, PAGE));
  assert_true(model_fork(&m, 3, 2, PAGE));
  for (size_t s = 1; s < 4; s++) assert_true(model_truncate(&m, s, PAGE - s));
  assert_true(model_append(&m, 0, pages * PAGE));
  require_free(&m, 5 - pages);
  return m;
}

static const size_t write_order[] = {2, 3, 1};

/* What a layer call asks for: several sequences at once, and the pool must do for all of them. Of
 * those that write a shared page the last keeps it. */
static void sequences_are_checked_together(void **state) {
  (void)state;
  static const size_t offsets[] = {0, 2, 2, 4}, twice[] = {2, 1, 2}, missing[] = {0, 4};
  const CacheAppend one_each = {.sequences = write_order, .count = 3, .tokens = 1};
  const CacheAppend but_one = {.sequences = write_order, .count = 3, .offsets = offsets};
  for (size_t pages = 1; pages <= 4; pages++) {
    CacheModel m = open_shared(pages);
    const size_t left = 5 - pages;
    require_check(&m, &one_each, left < 2 ? ATTEND_STATUS_CACHE_FULL : ATTEND_OK,
                  left < 2 ? "need 2 more" : "");
    require_check(&m, &but_one, left < 3 ? ATTEND_STATUS_CACHE_FULL : ATTEND_OK,
                  left < 3 ? "need 3 more" : "");
    require_check(&m, &(CacheAppend){.count = 0, .tokens = 1000}, ATTEND_OK, "");
    require_check(&m, &(CacheAppend){.sequences = write_order, .count = 3}, ATTEND_OK, "");
    require_check(&m, &(CacheAppend){.sequences = twice, .count = 3, .tokens = 1},
                  ATTEND_STATUS_BAD_OPTION, "sequences 0 and 2 of the batch are both number 2");
    require_check(&m, &(CacheAppend){.sequences = missing, .count = 2, .tokens = 1},
                  ATTEND_STATUS_BAD_OPTION, "sequence 1 of the batch is number 4");
    require_check(&m, &(CacheAppend){.count = 5}, ATTEND_STATUS_BAD_OPTION, "4");
    require_check(&m, &(CacheAppend){.count = 4, .tokens = SIZE_MAX}, ATTEND_STATUS_CACHE_FULL,
                  "18446744073709551615 more");
    model_close(&m);
  }
}

/* A sequence without new tokens keeps its place in the shared page. */
static void sequences_grow_together(void **state) {
  (void)state;
  static const size_t one_writes[] = {0, 0, 1, 1};
  const CacheAppend appends[] = {{.sequences = write_order, .count = 3, .tokens = 1},
                                 {.sequences = write_order, .count = 3, .offsets = one_writes}};
  const size_t width = 2 * (5 + 3);
  for (size_t k = 0; k < COUNT_OF(appends); k++) {
    CacheModel m = open_shared(3);
    require_check(&m, &appends[k], ATTEND_OK, "");
    kvcache_grow(m.cache, &appends[k]);
    require_free(&m, k);
    for (size_t s = 1; s < 4; s++) {
      const bool writes = k == 0 || s == 3, alone = k == 0 || s != 1;
      assert_int_equal(attend_cache_length(m.cache, s), PAGE - s + writes);
      if (alone)
        assert_ptr_not_equal(kvcache_keys(m.cache, s, 0, 0).words,
                             kvcache_keys(m.cache, s % 3 + 1, 0, 0).words);
      else
        assert_ptr_equal(kvcache_keys(m.cache, 1, 0, 0).words,
                         kvcache_keys(m.cache, 2, 0, 0).words);
      StoredRows rows = cache_read(m.context, m.cache, &small, s, 0, PAGE - s);
      for (size_t t = 0; t < PAGE - s; t++) {
        const float *const expected = m.sequences[s].rows + t * width;
        assert_memory_equal(rows.key + t * 10, expected, 10 * sizeof(float));
        assert_memory_equal(rows.value + t * 6, expected + 10, 6 * sizeof(float));
      }
      stored_rows_free(&rows);
    }
    model_close(&m);
  }
}

static void random_operations_agree_with_the_model(void **state) {
  (void)state;
  static const struct {
    AttendLayerShape shape;
    size_t block_tokens, capacity, pool_blocks;
  } cases[] = {{{64, 4, 2, 80, 48}, 32, 200, 9},
               {{64, 4, 2, 1, 33}, 64, 256, 5},
               {{64, 3, 1, 33, 1}, 128, 512, 5},
               {{64, 6, 3, 5, 7}, 32, 512, 20}};
  const ModelCounts least = {.appends = 1000,
                             .full_appends = 100,
                             .truncations = 500,
                             .refused_truncations = 50,
                             .forks = 200,
                             .full_forks = 3,
                             .refused_forks = 50,
                             .copies = 20};
  for (size_t k = 0; k < COUNT_OF(cases); k++) {
    AttendCacheSettings settings =
        pool_of(MODEL_SEQUENCES, cases[k].capacity, cases[k].pool_blocks);
    settings.block_tokens = cases[k].block_tokens;
    model_run(&cases[k].shape, &settings, 200 + k, 6000, &least);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_come_and_go_with_the_tokens),
      cmocka_unit_test(a_fork_shares_full_blocks),
      cmocka_unit_test(a_shared_block_is_copied_before_it_is_written),
      cmocka_unit_test(a_copy_that_finds_no_block),
      cmocka_unit_test(a_fork_in_a_full_pool),
      cmocka_unit_test(forks_that_are_refused),
      cmocka_unit_test(sequences_are_checked_together),
      cmocka_unit_test(sequences_grow_together),
      cmocka_unit_test(random_operations_agree_with_the_model),
  };
  return cmocka_run_group_tests_name("cache_pages", tests, NULL, NULL);
}
