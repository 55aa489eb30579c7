/* test_core_values.c - the core of every path against the oracle: unusual numbers in its data.
 *
 * NaN and infinities, visible and hidden; scores that are equal, huge or -inf. What hidden data
 * holds must not matter, and what a row sees must reach it.
 */
#include "tests/support/core_check.h"

#include <math.h>

/* Makes all elements of tokens first .. of K and V NaN and infinite in turn. */
static void poison_keys(CoreProblem *problem, size_t first) {
  static const float poisons[] = {NAN, INFINITY, -INFINITY};
  const AttendShape *const s = &problem->spec.shape;
  for (size_t j = first; j < s->key_tokens; j++) {
    for (size_t g = 0; g < s->kv_heads; g++) {
      float *const key = problem_row(&problem->key, 0, j, g);
      float *const value = problem_row(&problem->value, 0, j, g);
      for (size_t d = 0; d < s->head_dim; d++) key[d] = poisons[(j + d) % 3];
      for (size_t d = 0; d < s->value_dim; d++) value[d] = poisons[(j + d + 1) % 3];
    }
  }
}

/* In every precision. Tokens from `first` on are poisoned; the rows before see none of them and
 * must be exact, the others must not be finite. */
static void hidden_data_does_not_leak(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES + MAX_TILED_ENGINES];
  size_t count = list_engines(engines);
  count += list_tiled_engines(engines + count);
  for (size_t k = 0; k < count; k++) {
    size_t query_tile = 48, key_tile = 64;
    if (engines[k].path == ATTEND_PATH_TILED) tile_of(engines[k], &query_tile, &key_tile);
    const size_t tokens = key_tile + query_tile + 5;
    const size_t firsts[] = {
        0, 1, 7, query_tile - 1, query_tile + 1, key_tile - 1, key_tile, key_tile + 1, tokens - 1};
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
      for (int64_t start = -3; start <= 3; start += 3) {
        const CoreCase spec = {.shape = shape_of(tokens, tokens), .q_start = start, .seed = i + 1};
        CoreProblem problem = problem_new(&spec);
        poison_keys(&problem, firsts[i]);
        problem.precision = engines[k].precision;
        problem_expect(&problem);
        problem_check_engine(&problem, engines[k], 2);
        problem_free(&problem);
      }
    }
  }
}

/* One non-finite number at a time: in a query, it reaches that row and head; in a key or value, all
 * rows from its token on. */
static void visible_nan_and_inf_reach_their_rows(void **state) {
  (void)state;
  static const float poisons[] = {NAN, INFINITY};
  for (size_t p = 0; p < COUNT_OF(poisons); p++) {
    for (size_t operand = 0; operand < 3; operand++) {
      for (size_t token = 0; token < 90; token += 29) {
        for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
          const CoreCase spec = {.shape = shape_of(90, 90), .bidirectional = bidirectional != 0};
          CoreProblem problem = problem_new(&spec);
          const AttendView *const views[] = {&problem.query, &problem.key, &problem.value};
          problem_row(views[operand], 0, token, 0)[5] = poisons[p];
          problem_expect(&problem);
          Engine engines[MAX_ENGINES];
          const size_t count = list_engines(engines);
          for (size_t k = 0; k < count; k++) problem_check_engine(&problem, engines[k], 2);
          if (poisons[p] != poisons[p]) problem_check_precisions(&problem, 2);
          problem_free(&problem);
        }
      }
    }
  }
}

/* Positive queries and keys of -inf give scores of -inf: those keys have no weight, and a row that
 * sees no other is empty. */
static void scores_of_minus_infinity(void **state) {
  (void)state;
  static const size_t first_kept[] = {0, 1, 40, 64, 99, 100};
  for (size_t k = 0; k < COUNT_OF(first_kept); k++) {
    for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
      const CoreCase spec = {.shape = shape_of(100, 100), .bidirectional = bidirectional != 0};
      CoreProblem problem = problem_new(&spec);
      for (size_t i = 0; i < 100; i++)
        for (size_t h = 0; h < 2; h++)
          for (size_t d = 0; d < 32; d++) {
            float *const q = problem_row(&problem.query, 0, i, h) + d;
            *q = fabsf(*q) + 0.01f;
          }
      for (size_t j = 0; j < 100; j++)
        if (j < first_kept[k] || j % 7 == 3)
          for (size_t d = 0; d < 32; d++) problem_row(&problem.key, 0, j, 0)[d] = -INFINITY;
      problem_expect(&problem);
      Engine engines[MAX_ENGINES];
      const size_t count = list_engines(engines);
      for (size_t e = 0; e < count; e++) problem_check_engine(&problem, engines[e], 2);
      problem_free(&problem);
    }
  }
}

/* A row whose scores are all -inf is zero whatever the values; once it has a finite score, a NaN
 * among the values that it sees reaches it, even with weight 0. */
static void nan_values_behind_scores_of_minus_infinity(void **state) {
  (void)state;
  for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
    const CoreCase spec = {.shape = shape_of(40, 40), .bidirectional = bidirectional != 0};
    CoreProblem problem = problem_new(&spec);
    for (size_t i = 0; i < 40; i++) {
      for (size_t d = 0; d < 32; d++) {
        for (size_t h = 0; h < 2; h++) problem_row(&problem.query, 0, i, h)[d] = 0.25f;
        if (i < 30 || bidirectional) problem_row(&problem.key, 0, i, 0)[d] = -INFINITY;
      }
    }
    problem_row(&problem.value, 0, 2, 0)[7] = NAN;
    problem_expect(&problem);
    Engine engines[MAX_ENGINES];
    const size_t count = list_engines(engines);
    for (size_t k = 0; k < count; k++) problem_check_engine(&problem, engines[k], 2);
    problem_free(&problem);
  }
}

/* With equal keys all weights are equal: a row is the mean of the values that it sees, whatever the
 * score. The mean is formed here, without the oracle. */
static void equal_scores_give_the_mean(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const CoreCase spec = {.shape = shape_of(140, 140)};
  CoreProblem problem = problem_new(&spec);
  for (size_t j = 0; j < 140; j++)
    for (size_t d = 0; d < 32; d++) problem_row(&problem.key, 0, j, 0)[d] = 0.5f;
  problem_expect(&problem);
  for (size_t d = 0; d < 32; d++) {
    double sum = 0.0;
    for (size_t j = 0; j < 140; j++) {
      sum += (double)problem_row(&problem.value, 0, j, 0)[d];
      assert_true(fabs(problem.out[j * 64 + d] - sum / (double)(j + 1)) < 1e-12);
      problem.out[j * 64 + d] = sum / (double)(j + 1);
    }
  }
  for (size_t k = 0; k < count; k++) problem_check_engine(&problem, engines[k], 2);
  problem_free(&problem);
}

/* Scores of some 1e4 in size, by large data and by a large factor, also a negative one. With D = 1
 * a score is one product, so that its bound is tight and shows a constant that is wrong in its
 * sixth digit. */
static void huge_scores(void **state) {
  (void)state;
  static const struct {
    float bound, scale;
  } sizes[] = {{1.0f, 3000.0f}, {100.0f, 0.0f}, {1.0f, -3000.0f}, {1000.0f, 1.0f}};
  static const size_t dims[] = {1, 32};
  for (size_t k = 0; k < COUNT_OF(sizes); k++) {
    for (size_t d = 0; d < COUNT_OF(dims); d++) {
      CoreCase spec = {
          .shape = shape_of(120, 120), .bound = sizes[k].bound, .scale = sizes[k].scale};
      spec.shape.head_dim = dims[d];
      check_case(&spec, 2);
      spec.bidirectional = true;
      check_case(&spec, 2);
    }
  }
}

static void scales(void **state) {
  (void)state;
  static const float factors[] = {0.0f, 1.0f, 0.125f, -0.25f, 1e-6f, 1e-30f};
  for (size_t k = 0; k < COUNT_OF(factors); k++) {
    const CoreCase spec = {.shape = shape_of(60, 60), .scale = factors[k]};
    check_case(&spec, 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hidden_data_does_not_leak),
      cmocka_unit_test(visible_nan_and_inf_reach_their_rows),
      cmocka_unit_test(scores_of_minus_infinity),
      cmocka_unit_test(nan_values_behind_scores_of_minus_infinity),
      cmocka_unit_test(equal_scores_give_the_mean),
      cmocka_unit_test(huge_scores),
      cmocka_unit_test(scales),
  };
  return cmocka_run_group_tests_name("core_values", tests, NULL, NULL);
}
