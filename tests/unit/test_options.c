/* test_options.c - each option of a core call by itself, on every engine, against the oracle.
 *
 * Data that no row sees are NaN and infinite in most cases here, so that each test also shows that
 * what an option hides has no effect. test_property.c combines the options at random; this is where
 * each one's edges are walked. Masks and biases are in test_masks.c, sequences of
 * different lengths in test_lengths.c.
 */
#include <math.h>

#include "tests/support/core_check.h"

/* ---- rows and what they see ---- */

static void rows_that_see_no_key(void **state) {
  (void)state;
  for (int sinks = 0; sinks < 2; sinks++) {
    CoreCase spec = case_of_three_tiles();
    spec.options.sinks = sinks != 0;
    spec.q_start = -20;
    check_case(&spec, 2);
    spec.q_start = -7;
    check_case(&spec, 2);
    spec.q_start = 310;
    spec.options.left = (CaseWindow){true, 4};
    check_case(&spec, 2);
    spec.q_start = 290;
    check_case(&spec, 2);
    spec = case_of_three_tiles();
    spec.options.sinks = sinks != 0;
    spec.options.mask = (CaseGrid){.used = true, .hidden = 100};
    check_case(&spec, 2);
    spec.options.mask = (CaseGrid){.used = true, .hidden = 50, .repeat = REPEAT_KEYS};
    check_case(&spec, 2);
    spec.options.mask.used = false;
    spec.options.bias = (CaseGrid){.used = true, .hidden = 50, .repeat = REPEAT_KEYS};
    check_case(&spec, 2);
  }
}

/* Everything before key `first` is hidden from some rows, whole tiles and splits of them. */
static void first_tiles_hidden(void **state) {
  (void)state;
  static const size_t firsts[] = {1, 31, 127, 128, 129, 200, 256, 299, 1024, 1100, 1500};
  for (size_t k = 0; k < COUNT_OF(firsts); k++) {
    for (int few = 0; few < 2; few++) {
      CoreCase spec = case_of_three_tiles();
      spec.shape.key_tokens = firsts[k] < 300 ? 300 : 1600;
      spec.shape.query_tokens = few ? 1 : 20;
      spec.bidirectional = true;
      spec.poison = POISON_NONE;
      spec.options.mask.used = true;
      CoreProblem problem = problem_new(&spec);
      for (size_t b = 0; b < 2; b++)
        for (size_t h = 0; h < 4; h++)
          for (size_t i = 0; i < spec.shape.query_tokens; i += 1 + h % 2)
            for (size_t j = 0; j < firsts[k]; j++) problem_mask_row(&problem, b, h, i)[j] = 0;
      problem_check_all(&problem, 2);
      spec.options.mask.used = false;
      spec.poison = POISON_HIDDEN;
      spec.q_start = (int64_t)firsts[k] + 3;
      spec.options.left = (CaseWindow){true, 3};
      check_case(&spec, 2);
    }
  }
}

/* A key and a value of NaN, by each way to hide them: from some rows, and seen by the others. */
static void nan_seen_and_hidden(void **state) {
  (void)state;
  for (size_t way = 0; way < 6; way++) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
      CoreCase spec = case_of_three_tiles();
      spec.seed = seed;
      spec.poison = POISON_VISIBLE;
      if (seed % 3 == 0) spec.shape.query_tokens = 1 + seed % 2;
      spec.q_start = 150;
      spec.bidirectional = way > 0;
      if (way == 1) spec.options.left = (CaseWindow){true, 9};
      if (way == 2) spec.options.right = (CaseWindow){true, 9};
      if (way == 3) spec.options.mask = (CaseGrid){.used = true, .hidden = 50};
      if (way == 4) spec.options.bias = (CaseGrid){.used = true, .hidden = 50};
      if (way == 5) spec.options.key_lengths = true;
      check_case(&spec, 2);
    }
  }
}

static void windows_with_and_without_causal(void **state) {
  (void)state;
  static const int64_t lefts[] = {-1, 0, 1, 17, 127, 128, 129, 250, INT64_MAX};
  static const int64_t rights[] = {-1, 0, 3, 130, INT64_MAX};
  for (size_t l = 0; l < COUNT_OF(lefts); l++) {
    for (size_t r = 0; r < COUNT_OF(rights); r++) {
      for (size_t way = 0; way < 4; way++) {
        CoreCase spec = case_of_three_tiles();
        spec.shape.batch = 1;
        spec.shape.query_tokens = way / 2 ? 1 : 70;
        spec.q_start = way / 2 ? 260 : 120 + (int64_t)l * 13;
        spec.bidirectional = way % 2 == 1;
        spec.options.left = (CaseWindow){lefts[l] >= 0, lefts[l]};
        spec.options.right = (CaseWindow){rights[r] >= 0, rights[r]};
        check_case(&spec, 2);
      }
    }
  }
}

/* Queries before the first key, beyond the last, and more of them than keys. */
static void positions_of_queries(void **state) {
  (void)state;
  static const int64_t starts[] = {INT64_MIN,      -90,      -69, -33, -1, 0, 1, 40, 64, 200,
                                   INT64_MAX - 40, INT64_MAX};
  static const int64_t widths[] = {-1, 11, INT64_MAX};
  for (size_t k = 0; k < COUNT_OF(starts); k++) {
    for (size_t window = 0; window < COUNT_OF(widths); window++) {
      CoreCase spec = case_of_three_tiles();
      spec.shape.query_tokens = 70;
      spec.shape.key_tokens = 33;
      spec.q_start = starts[k];
      spec.options.left = spec.options.right = (CaseWindow){widths[window] >= 0, widths[window]};
      check_case(&spec, 2);
      spec.bidirectional = true;
      check_case(&spec, 2);
    }
  }
}

/* ---- what is done to scores ---- */

/* The cap comes first: it neither brings hidden keys back nor caps the bias. */
static void softcap_before_masks(void **state) {
  (void)state;
  static const float caps[] = {0.01f, 0.5f, 5.0f, 50.0f, 1e4f};
  for (size_t k = 0; k < COUNT_OF(caps); k++) {
    for (size_t queries = 1; queries <= 20; queries += 19) {
      CoreCase spec = case_of_three_tiles();
      spec.shape.query_tokens = queries;
      spec.options.softcap = caps[k];
      check_case(&spec, 2);
      spec.bound = 30.0f;
      check_case(&spec, 2);
      spec.options.mask = (CaseGrid){.used = true, .hidden = 60};
      check_case(&spec, 2);
      spec.options.bias = (CaseGrid){.used = true, .hidden = 20};
      spec.options.alibi = true;
      spec.options.left = (CaseWindow){true, 150};
      check_case(&spec, 2);
    }
  }
}

/* Infinite scores become the cap, with either sign: nothing is hidden by a score before the cap. */
static void softcap_of_infinite_scores(void **state) {
  (void)state;
  CoreCase spec = {.shape = {1, 5, 40, 1, 1, 4, 8}, .q_start = 35, .options = {.softcap = 3.0f}};
  CoreProblem problem = problem_new(&spec);
  for (size_t i = 0; i < 5; i++)
    for (size_t d = 0; d < 4; d++) problem_row(&problem.query, 0, i, 0)[d] = 1.0f;
  problem.fp32_only = true;
  problem_row(&problem.key, 0, 7, 0)[2] = INFINITY;
  problem_row(&problem.key, 0, 11, 0)[1] = -INFINITY;
  problem_check_all(&problem, 2);
}

static void alibi_slopes(void **state) {
  (void)state;
  static const float slopes[][4] = {
      {0.5f, 0.25f, 0.125f, 0.0625f}, {0.0f, 1.0f, -0.5f, 1e-6f}, {8.0f, 4.0f, 2.0f, 100.0f}};
  static const int64_t starts[] = {-5, 0, 280, 1000, 100000};
  for (size_t k = 0; k < COUNT_OF(slopes); k++) {
    for (size_t s = 0; s < COUNT_OF(starts); s++) {
      for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
        CoreCase spec = case_of_three_tiles();
        spec.q_start = starts[s];
        spec.bidirectional = bidirectional != 0;
        spec.options.alibi = true;
        CoreProblem problem = problem_new(&spec);
        for (size_t h = 0; h < 4; h++) problem.data.alibi_slopes[h] = slopes[k][h];
        problem_check_all(&problem, 2);
      }
    }
  }
}

static void sinks_of_all_sizes(void **state) {
  (void)state;
  static const float sinks[][4] = {{0.0f, 1.0f, -1.0f, 5.0f},
                                   {30.0f, -30.0f, 88.0f, 120.0f},
                                   {-INFINITY, -200.0f, -INFINITY, 1e4f}};
  static const size_t keys[] = {0, 1, 300, 2100};
  for (size_t k = 0; k < COUNT_OF(sinks); k++) {
    for (size_t n = 0; n < COUNT_OF(keys); n++) {
      for (size_t queries = 1; queries <= 20; queries += 19) {
        CoreCase spec = case_of_three_tiles();
        spec.shape.query_tokens = queries;
        spec.shape.key_tokens = keys[n];
        spec.q_start = (int64_t)keys[n] - 10;
        spec.options.sinks = true;
        CoreProblem problem = problem_new(&spec);
        for (size_t h = 0; h < 4; h++) problem.data.sinks[h] = sinks[k][h];
        problem_check_all(&problem, 2);
      }
    }
  }
}

/* A row whose scores are all -inf is zero, whatever its values, and its LSE is the sink. */
static void sinks_beside_scores_of_minus_infinity(void **state) {
  (void)state;
  CoreCase spec = {.shape = {1, 3, 40, 1, 1, 4, 8}, .q_start = 37, .options = {.sinks = true}};
  for (int nan = 0; nan < 2; nan++) {
    CoreProblem problem = problem_new(&spec);
    for (size_t i = 0; i < 3; i++)
      for (size_t d = 0; d < 4; d++) problem_row(&problem.query, 0, i, 0)[d] = 1.0f;
    problem.fp32_only = true;
    for (size_t j = 0; j < 39; j++) problem_row(&problem.key, 0, j, 0)[j % 4] = -INFINITY;
    if (nan) problem_row(&problem.value, 0, 9, 0)[3] = NAN;
    problem_check_all(&problem, 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_that_see_no_key),
      cmocka_unit_test(first_tiles_hidden),
      cmocka_unit_test(nan_seen_and_hidden),
      cmocka_unit_test(windows_with_and_without_causal),
      cmocka_unit_test(positions_of_queries),
      cmocka_unit_test(softcap_before_masks),
      cmocka_unit_test(softcap_of_infinite_scores),
      cmocka_unit_test(alibi_slopes),
      cmocka_unit_test(sinks_of_all_sizes),
      cmocka_unit_test(sinks_beside_scores_of_minus_infinity),
  };
  return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
