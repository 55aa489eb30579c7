/* test_masks.c - masks and biases of a core call, on every engine, against the oracle.
 *
 * Every broadcast of [B, Hq, Nq, Nk], masks with structure, and biases that are large, the lowest
 * float, or no numbers. Data that no row sees are NaN and infinite where a test does not set them.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/support/core_check.h"
#include "tests/support/core_result.h"

/* Every broadcast of [B, Hq, Nq, Nk], keys side by side and apart, all keys and fewer. */
static void check_broadcasts(bool is_mask) {
  for (unsigned repeat = 0; repeat < 16; repeat++) {
    for (size_t way = 0; way < 8; way++) {
      CoreCase spec = case_of_three_tiles();
      spec.shape.query_tokens = way % 2 ? 20 : 2;
      spec.seed = 1 + repeat;
      spec.bidirectional = repeat % 3 == 0;
      const CaseGrid grid = {.used = true,
                             .repeat = repeat,
                             .hidden = way % 4 < 2 ? 30 : 0,
                             .key_gap = way / 4,
                             .uncovered = way / 2 % 2 ? 70 : 0};
      *(is_mask ? &spec.options.mask : &spec.options.bias) = grid;
      check_case(&spec, 2);
    }
  }
}

static void masks_in_every_broadcast(void **state) {
  (void)state;
  check_broadcasts(true);
}

static void biases_in_every_broadcast(void **state) {
  (void)state;
  check_broadcasts(false);
}

/* Masks with structure: whole blocks of keys hidden from whole blocks of queries. */
static void block_masks(void **state) {
  (void)state;
  for (size_t size = 16; size <= 160; size += 48) {
    CoreCase spec = case_of_three_tiles();
    spec.shape = (AttendShape){1, 200, 400, 2, 1, 16, 16};
    spec.bidirectional = true;
    spec.poison = POISON_NONE;
    spec.options.mask.used = true;
    CoreProblem problem = problem_new(&spec);
    for (size_t h = 0; h < 2; h++)
      for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < 400; j++)
          problem_mask_row(&problem, 0, h, i)[j] = (i / size + j / size + h) % 3 == 0;
    problem_check_all(&problem, 2);
  }
}

/* A bias that decides: its numbers are far larger than the scores, of both signs. */
static void large_biases(void **state) {
  (void)state;
  CoreCase spec = case_of_three_tiles();
  spec.options.bias.used = true;
  spec.poison = POISON_NONE;
  CoreProblem problem = problem_new(&spec);
  for (size_t k = 0; k < problem.data.bias_count; k++)
    problem.data.bias[k] *= k % 5 == 0 ? 500.0f : 20.0f;
  problem_check_all(&problem, 2);
}

/* The lowest float, by which many programs say "hidden", is still a number: beside other biases
 * such a key has no weight, and a row of nothing else is the mean of what it sees. */
static void biases_of_the_lowest_float(void **state) {
  (void)state;
  CoreCase spec = case_of_three_tiles();
  spec.options.bias.used = true;
  spec.poison = POISON_NONE;
  CoreProblem problem = problem_new(&spec);
  const AttendBias *const bias = &problem.options.bias;
  for (size_t b = 0; b < 2; b++)
    for (size_t h = 0; h < 4; h++)
      for (size_t i = 0; i < 20; i++)
        for (size_t j = 0; j < 300; j++)
          if (i % 3 == 0 || j % 5 > h)
            problem.data
                .bias[b * bias->batch_stride + h * bias->head_stride + i * bias->query_stride + j] =
                -FLT_MAX;
  problem_expect(&problem);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t k = 0; k < count; k++) {
    Result got = core_run_problem(&problem, engines[k], 2);
    check_close(attend_path_name(engines[k].path), got.out, problem.out, got.out_floats);
    for (size_t r = 0; r < got.lse_floats; r++)
      assert_true(r % 20 % 3 == 0 ? got.lse[r] < -1e38f && got.lse[r] >= -FLT_MAX
                                  : is_close((double)got.lse[r], problem.rows[r].lse, 1e-5));
    result_free(&got);
  }
  problem_free(&problem);
}

/* A NaN or +inf in the bias reaches the rows that see it. */
static void biases_that_are_not_numbers(void **state) {
  (void)state;
  for (int infinite = 0; infinite < 2; infinite++) {
    CoreCase spec = case_of_three_tiles();
    spec.options.bias.used = true;
    spec.options.left = (CaseWindow){true, 40};
    CoreProblem problem = problem_new(&spec);
    const AttendBias *const bias = &problem.options.bias;
    for (size_t i = 0; i < 20; i += 7)
      problem.data.bias[bias->head_stride + i * bias->query_stride + 285] =
          infinite ? INFINITY : NAN;
    problem_check_all(&problem, 2);
  }
}

/* The window's left edge goes through all places of a tile, under slopes so steep that a score is
 * -inf or that of the key itself: what is done to hidden scores shows nowhere. */
static void steep_slopes_at_the_edge_of_a_window(void **state) {
  (void)state;
  for (int few = 0; few < 2; few++) {
    CoreCase spec = case_of_three_tiles();
    spec.shape = (AttendShape){1, 400, 400, 2, 1, 32, 40};
    spec.q_start = 0;
    spec.poison = POISON_NONE;
    spec.options.alibi = true;
    spec.options.left = (CaseWindow){true, few ? 30 : 250};
    CoreProblem problem = problem_new(&spec);
    for (size_t h = 0; h < 2; h++) problem.data.alibi_slopes[h] = 1e37f;
    problem_check_all(&problem, 2);
  }
}

/* Bias, mask, slopes and sinks right before memory that may not be read. Sizes are such that the
 * last key's element is the last of the page. */
static void arrays_at_the_end_of_a_page(void **state) {
  (void)state;
  static const size_t keys[] = {37, 128, 131, 300};
  for (size_t k = 0; k < COUNT_OF(keys); k++) {
    for (size_t queries = 1; queries <= 21; queries += 20) {
      CoreCase spec = {.shape = {1, queries, keys[k], 4, 2, 8, 8}, .bidirectional = true};
      spec.options.mask = (CaseGrid){.used = true, .hidden = 30};
      spec.options.bias = (CaseGrid){.used = true, .hidden = 20};
      spec.options.alibi = spec.options.sinks = true;
      CoreProblem problem = problem_new(&spec);
      const size_t count = 4 * queries * keys[k];
      float *const bias = fenced_new(count), *const mask = fenced_new(count / 4);
      float *const slopes = fenced_new(4), *const sinks = fenced_new(4);
      memcpy(bias, problem.data.bias, count * sizeof *bias);
      memcpy(mask, problem.data.mask, count);
      memcpy(slopes, problem.data.alibi_slopes, 4 * sizeof *slopes);
      memcpy(sinks, problem.data.sinks, 4 * sizeof *sinks);
      problem.options.bias.data = bias;
      problem.options.mask.data = (const uint8_t *)mask;
      problem.options.alibi_slopes = slopes;
      problem.options.sinks = sinks;
      problem_check_all(&problem, 2);
      fenced_free(bias, count);
      fenced_free(mask, count / 4);
      fenced_free(slopes, 4);
      fenced_free(sinks, 4);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(masks_in_every_broadcast),
      cmocka_unit_test(biases_in_every_broadcast),
      cmocka_unit_test(block_masks),
      cmocka_unit_test(large_biases),
      cmocka_unit_test(biases_of_the_lowest_float),
      cmocka_unit_test(biases_that_are_not_numbers),
      cmocka_unit_test(steep_slopes_at_the_edge_of_a_window),
      cmocka_unit_test(arrays_at_the_end_of_a_page),
  };
  return cmocka_run_group_tests_name("masks", tests, NULL, NULL);
}
