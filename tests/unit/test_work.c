/* test_work.c - the visible pairs that plans and profiles count.
 *
 * The library counts them in closed form; here they are counted one by one, in integers that do not
 * overflow. A plan for more rows than could ever be walked shows that no plan walks them.
 */
#include "tests/support/support.h"

/* Integers that hold every sum of two positions. */
typedef __int128 Wide;

static const int64_t starts[] = {INT64_MIN, INT64_MIN + 2, -9,       -4, -1, 0, 1, 3, 5,
                                 9,         INT64_MAX - 3, INT64_MAX};
static const int64_t windows[] = {-1, 0, 1, 3, INT64_MAX};

static size_t count_pairs(size_t queries, size_t keys, const AttendOptions *o) {
  size_t pairs = 0;
  for (size_t i = 0; i < queries; i++) {
    const Wide p = (Wide)o->q_start + (Wide)i;
    for (size_t j = 0; j < keys; j++) {
      const bool before = o->causal && (Wide)j > p;
      const bool left = o->window_left >= 0 && (Wide)j < p - (Wide)o->window_left;
      const bool right = o->window_right >= 0 && (Wide)j > p + (Wide)o->window_right;
      if (!before && !left && !right) pairs++;
    }
  }
  return pairs;
}

static AttendContext *open_default(void) {
  return engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 1);
}

static void check_pairs(AttendContext *context, size_t queries, size_t keys,
                        const AttendOptions *o) {
  const AttendShape shape = {1, queries, keys, 3, 1, 2, 5};
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, &shape, o, &plan));
  const double expected = 2.0 * (2 + 5) * 3 * (double)count_pairs(queries, keys, o);
  if (plan.core_flops != expected)
    fail_msg("Nq=%zu Nk=%zu q_start=%lld causal=%d window=%lld,%lld: core_flops is %.17g, "
             "expected %.17g",
             queries, keys, (long long)o->q_start, o->causal, (long long)o->window_left,
             (long long)o->window_right, plan.core_flops, expected);
}

static void pairs_of_a_sequence(void **state) {
  (void)state;
  AttendContext *context = open_default();
  AttendOptions o;
  attend_default_options(&o);
  for (size_t queries = 0; queries <= 6; queries++)
    for (size_t keys = 0; keys <= 6; keys += 2)
      for (size_t s = 0; s < COUNT_OF(starts); s++)
        for (size_t w = 0; w < 2 * COUNT_OF(windows) * COUNT_OF(windows); w++) {
          o.q_start = starts[s];
          o.causal = w % 2 == 0;
          o.window_left = windows[w / 2 % COUNT_OF(windows)];
          o.window_right = windows[w / 2 / COUNT_OF(windows)];
          check_pairs(context, queries, keys, &o);
        }
  attend_close(&context);
}

/* Sequences of a ragged batch add up, keys beyond a length are not counted, and neither is a
 * sequence without queries. */
static void pairs_of_a_batch(void **state) {
  (void)state;
  static const size_t query_offsets[] = {0, 4, 4, 9, 11}, key_offsets[] = {0, 7, 10, 18, 18},
                      lengths[] = {5, 3, 8, 0};
  static const int64_t query_starts[] = {2, 0, -1, 4};
  AttendContext *context = open_default();
  AttendOptions o;
  attend_default_options(&o);
  o.window_left = 3;
  size_t expected = 0;
  for (size_t b = 0; b < 4; b++) {
    o.q_start = query_starts[b];
    expected += count_pairs(query_offsets[b + 1] - query_offsets[b], lengths[b], &o);
  }
  assert_true(expected > 20);
  o.q_start = 0;
  o.q_starts = query_starts;
  o.query_offsets = query_offsets;
  o.key_offsets = key_offsets;
  o.key_lengths = lengths;
  const AttendShape shape = {4, 11, 18, 1, 1, 1, 1};
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, &shape, &o, &plan));
  assert_true(plan.core_flops == 4.0 * (double)expected);
  attend_close(&context);
}

/* 2^40 rows: at a nanosecond a row this plan would take 18 minutes. */
static void plans_do_not_walk_the_rows(void **state) {
  (void)state;
  AttendContext *context = open_default();
  const double rows = (double)((size_t)1 << 40), keys = 1024.0;
  const AttendShape shape = {1, (size_t)1 << 40, 1024, 1, 1, 1, 1};
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, &shape, NULL, &plan));
  assert_true(plan.core_flops == 4.0 * (rows * keys - keys * (keys - 1.0) / 2.0));
  attend_close(&context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_of_a_sequence),
      cmocka_unit_test(pairs_of_a_batch),
      cmocka_unit_test(plans_do_not_walk_the_rows),
  };
  return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
