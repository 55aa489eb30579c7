/* test_oracle.c - the oracle itself, against numbers worked out by hand.
 *
 * D = 1, a query of 1 and a scale of 1 make each key its own score, and one-hot values make the
 * output the row of weights. Logarithms of small integers as scores give weights that are
 * fractions.
 */
#include "tests/support/core_problem.h"

#include <math.h>

#define KEYS 4

static const float one_hot[KEYS * KEYS] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
static const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};

/* One sequence of one head with the given scores, seen by the query at position 3. */
static OracleCore core_of(const float *scores) {
  return (OracleCore){.batch = 1,
                      .query_tokens = 1,
                      .key_tokens = KEYS,
                      .query_heads = 1,
                      .kv_heads = 1,
                      .head_dim = 1,
                      .value_dim = KEYS,
                      .query = {ones, 1, 1, 1},
                      .key = {scores, KEYS, 1, 1},
                      .value = {one_hot, KEYS * KEYS, KEYS, KEYS},
                      .scale = 1.0,
                      .causal = true,
                      .q_start = 3};
}

/* The weights of a row, and its LSE. */
static void check_row(const char *what, const OracleCore *core, size_t batch, size_t token,
                      const double weights[KEYS], double lse) {
  double scores[2 * KEYS], row[KEYS];
  const OracleRow result = oracle_core_row(core, batch, token, 0, scores, row, NULL, NULL);
  for (size_t j = 0; j < KEYS; j++)
    if (!is_close(row[j], weights[j], 1e-7))
      fail_msg("%s: weight %zu is %.9g, expected %.9g", what, j, row[j], weights[j]);
  if (!is_close(result.lse, lse, 1e-7))
    fail_msg("%s: the LSE is %.9g, expected %.9g", what, result.lse, lse);
}

/* Scores 0, ln 2, ln 3, ln 4: e to them is 1, 2, 3, 4. */
static const float counting[KEYS] = {0.0f, 0.693147181f, 1.09861229f, 1.38629436f};

static void weights_of_the_visible(void **state) {
  (void)state;
  OracleCore core = core_of(counting);
  check_row("all", &core, 0, 0, (double[]){.1, .2, .3, .4}, log(10));
  core.q_start = 1;
  check_row("causal", &core, 0, 0, (double[]){1. / 3, 2. / 3, 0, 0}, log(3));
  core.scoring.left = (OracleWindow){true, 0};
  check_row("left 0", &core, 0, 0, (double[]){0, 1, 0, 0}, log(2));
  core.causal = false;
  check_row("left 0 alone", &core, 0, 0, (double[]){0, 2. / 9, 3. / 9, 4. / 9}, log(9));
  core.scoring.right = (OracleWindow){true, 1};
  check_row("left 0, right 1", &core, 0, 0, (double[]){0, .4, .6, 0}, log(5));
  core.q_start = -1;
  check_row("before the keys", &core, 0, 0, (double[]){1, 0, 0, 0}, log(1));
  core.q_start = -2;
  check_row("no key", &core, 0, 0, (double[]){0, 0, 0, 0}, -INFINITY);
  core.q_start = INT64_MAX;
  check_row("far behind", &core, 0, 1, (double[]){0, 0, 0, 0}, -INFINITY);
}

static void lengths_and_offsets(void **state) {
  (void)state;
  const size_t length = 2, query_offsets[] = {0, 1, 1, 2}, key_offsets[] = {0, 1, 2, 4};
  const int64_t starts[] = {0, 0, 1};
  OracleCore core = core_of(counting);
  core.lengths.key_lengths = &length;
  check_row("length", &core, 0, 0, (double[]){1. / 3, 2. / 3, 0, 0}, log(3));
  core.lengths = (OracleLengths){NULL, starts, query_offsets, key_offsets};
  core.batch = 3;
  core.query_tokens = 2;
  check_row("first sequence", &core, 0, 0, (double[]){1, 0, 0, 0}, log(1));
  check_row("third sequence", &core, 2, 0, (double[]){0, 0, 3. / 7, 4. / 7}, log(7));
  double out[2 * KEYS];
  OracleRow rows[2];
  assert_true(oracle_core(&core, out, NULL, NULL, rows));
  assert_true(fabs(out[0] - 1) < 1e-7 && fabs(out[KEYS + 3] - 4. / 7) < 1e-7);
  assert_true(fabs(rows[1].lse - log(7)) < 1e-7 && rows[1].visible == 2);
}

static void masks_biases_and_slopes(void **state) {
  (void)state;
  static const uint8_t mask[] = {1, 0, 0, 0, 7, 0, 1};
  static const float bias[KEYS] = {0.0f, 0.0f, 1.09861229f, -INFINITY};
  static const float slope = 0.693147181f;
  OracleCore core = core_of(counting);
  core.scoring.mask = (OracleMask){mask, 0, 0, 0, 2, 0};
  check_row("mask", &core, 0, 0, (double[]){1. / 8, 0, 3. / 8, 4. / 8}, log(8));
  core.scoring.mask.keys = 3;
  check_row("shorter mask", &core, 0, 0, (double[]){.25, 0, .75, 0}, log(4));
  core.scoring.bias = (OracleBias){bias, 0, 0, 0, 1, 0};
  check_row("mask and bias", &core, 0, 0, (double[]){.1, 0, .9, 0}, log(10));
  core.scoring.mask.data = NULL;
  check_row("bias", &core, 0, 0, (double[]){1. / 12, 2. / 12, 9. / 12, 0}, log(12));
  core.scoring.bias.keys = 2;
  check_row("shorter bias", &core, 0, 0, (double[]){1. / 3, 2. / 3, 0, 0}, log(3));
  core.scoring.bias.data = NULL;
  core.scoring.alibi_slopes = &slope;
  /* 1/8, 2/4, 3/2, 4 */
  check_row("alibi", &core, 0, 0, (double[]){1. / 49, 4. / 49, 12. / 49, 32. / 49}, log(49. / 8));
  core.causal = false;
  core.q_start = 1;
  /* 1/2, 2, 3/2, 4/4 */
  check_row("alibi on both sides", &core, 0, 0, (double[]){.1, .4, .3, .2}, log(5));
}

static void caps_and_sinks(void **state) {
  (void)state;
  /* tanh(ln sqrt 3) = 1/2, so that a cap of 2 ln 2 makes ln 2 of 2 ln 2 ln sqrt 3. */
  static const float scores[KEYS] = {0.0f, 0.761500052f, -0.761500052f, INFINITY};
  static const float hide[KEYS] = {0.0f, 0.0f, 0.0f, -INFINITY};
  static const float sink = 0.405465108f, no_sink = -INFINITY; /* ln 1.5 */
  OracleCore core = core_of(scores);
  core.scoring.softcap = 2 * log(2);
  core.scoring.bias = (OracleBias){hide, 0, 0, 0, 1, 0};
  check_row("cap, then bias", &core, 0, 0, (double[]){2. / 7, 4. / 7, 1. / 7, 0}, log(3.5));
  core.scoring.sinks = &sink;
  check_row("sink", &core, 0, 0, (double[]){.2, .4, .1, 0}, log(5));
  core.scoring.sinks = &no_sink;
  check_row("no sink", &core, 0, 0, (double[]){2. / 7, 4. / 7, 1. / 7, 0}, log(3.5));
  core.scoring.bias.data = NULL;
  /* An infinite score is capped at 2 ln 2, whose exponential is 4. */
  check_row("capped infinity", &core, 0, 0, (double[]){2. / 15, 4. / 15, 1. / 15, 8. / 15},
            log(7.5));
  core.scoring.softcap = 0.0;
  check_row("infinity", &core, 0, 1, (double[]){NAN, NAN, NAN, NAN}, NAN);
}

static void rows_of_sinks_alone(void **state) {
  (void)state;
  static const float none[KEYS] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  static const float sink = 2.5f;
  OracleCore core = core_of(none);
  check_row("scores of -inf", &core, 0, 0, (double[]){0, 0, 0, 0}, -INFINITY);
  core.scoring.sinks = &sink;
  check_row("and a sink", &core, 0, 0, (double[]){0, 0, 0, 0}, 2.5);
  core.q_start = -1;
  check_row("a sink alone", &core, 0, 0, (double[]){0, 0, 0, 0}, 2.5);
}

static void steps_of_a_row(void **state) {
  (void)state;
  static const float scores[KEYS] = {0.0f, 0.761500052f, -0.761500052f, 5.0f};
  static const float bias[KEYS] = {0.693147181f, 0.0f, 0.0f, 0.0f};
  double steps[4][KEYS];
  OracleCore core = core_of(scores);
  core.q_start = 1;
  core.scoring.softcap = 2 * log(2);
  core.scoring.bias = (OracleBias){bias, 0, 0, 0, 1, 0};
  oracle_core_steps(&core, 0, 0, 0, &(OracleSteps){steps[0], steps[1], steps[2], steps[3]});
  const double expected[4][KEYS] = {{0, log(2) * log(3), -log(2) * log(3), 5},
                                    {0, log(2), -log(2), 2 * log(2) * tanh(5 / (2 * log(2)))},
                                    {log(2), log(2), -INFINITY, -INFINITY},
                                    {.5, .5, 0, 0}};
  for (size_t k = 0; k < 4; k++)
    for (size_t j = 0; j < KEYS; j++)
      if (!is_close(steps[k][j], expected[k][j], 1e-7))
        fail_msg("step %zu of key %zu is %.9g, expected %.9g", k, j, steps[k][j], expected[k][j]);
}

/* A case with its keys moved by one part in 2^20, as if every score were rounded to that. */
static void bounds_hold_and_are_near(void **state) {
  (void)state;
  static const double part = 0x1p-20;
  CoreCase spec = {.shape = {1, 6, 40, 2, 1, 8, 5}, .q_start = 30, .scale = 1.0f};
  spec.options = (CaseOptions){.softcap = 3.0f, .alibi = true, .sinks = true};
  double closest = 0.0;
  for (spec.seed = 1; spec.seed <= 20; spec.seed++) {
    CoreProblem problem = problem_new(&spec), moved = problem_new(&spec);
    for (size_t j = 0; j < 40; j++)
      for (size_t d = 0; d < 8; d++)
        *(problem_row(&moved.key, 0, j, 0) + d) *=
            (float)(case_draw(spec.seed, j * 8 + d, 2) ? 1.0 + part : 1.0 - part);
    double scores[80], before[5], after[5], spread[5];
    OracleCore core = problem_oracle(&problem), other = problem_oracle(&moved);
    core.slack = (OracleSlack){part * (1 + 0x1p-3), 0.0};
    for (size_t i = 0; i < 12; i++) {
      const OracleRow a = oracle_core_row(&core, 0, i / 2, i % 2, scores, before, NULL, spread);
      const OracleRow b = oracle_core_row(&other, 0, i / 2, i % 2, scores, after, NULL, NULL);
      assert_true(fabs(a.lse - b.lse) <= a.drift);
      for (size_t d = 0; d < 5; d++) {
        assert_true(fabs(after[d] - before[d]) <= spread[d]);
        closest = fmax(closest, fabs(after[d] - before[d]) / spread[d]);
      }
    }
    problem_free(&problem);
    problem_free(&moved);
  }
  assert_true(closest > 0.05);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_of_the_visible),   cmocka_unit_test(lengths_and_offsets),
      cmocka_unit_test(masks_biases_and_slopes),  cmocka_unit_test(caps_and_sinks),
      cmocka_unit_test(rows_of_sinks_alone),      cmocka_unit_test(steps_of_a_row),
      cmocka_unit_test(bounds_hold_and_are_near),
  };
  return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
