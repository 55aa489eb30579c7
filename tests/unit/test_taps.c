/* test_taps.c - the matrices that a tap is shown by each path: which, in what order and shape, and
 * that they hold what the oracle's steps hold.
 *
 * Scores and capped scores are those of all pairs, hidden or not, as they were before anything was
 * hidden.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/core_result.h"
#include "tests/support/tap_record.h"

/* Cases that between them have every step, sequences of one length and of several. */
static const CoreCase cases[] = {
    {.shape = {2, 7, 19, 4, 2, 8, 6}, .q_start = 12},
    {.shape = {2, 7, 19, 4, 2, 8, 6}, .q_start = -2, .options = {.softcap = 2.0f, .sinks = true}},
    {.shape = {1, 50, 300, 3, 1, 16, 16},
     .q_start = 250,
     .options = {.left = {true, 40}, .alibi = true, .mask = {.used = true, .hidden = 40}}},
    {.shape = {3, 20, 60, 2, 2, 12, 12},
     .options =
         {.ragged = true, .q_starts = true, .softcap = 5.0f, .bias = {.used = true, .hidden = 20}}},
    {.shape = {2, 5, 40, 2, 1, 12, 12},
     .bidirectional = true,
     .layout = LAYOUT_PADDED,
     .options = {.key_lengths = true}},
};

static const char *const steps[] = {"scores", "capped_scores", "masked_scores", "weights"};

static OracleSequence sequence_of(const CoreProblem *problem, size_t b) {
  const OracleCore core = problem_oracle(problem);
  return oracle_sequence(&core, b);
}

static void expect_matrix(const TapMatrix *got, const char *name, size_t batch, size_t head,
                          size_t first_row, size_t rows, size_t columns) {
  if (strcmp(got->name, name) != 0 || got->batch != batch || got->head != head ||
      got->first_row != first_row || got->rows != rows || got->columns != columns)
    fail_msg("matrix %s of b=%zu h=%zu from row %zu is [%zu, %zu]; expected %s of b=%zu h=%zu from "
             "row %zu, [%zu, %zu]",
             got->name, got->batch, got->head, got->first_row, got->rows, got->columns, name, batch,
             head, first_row, rows, columns);
}

/* Rows of a sequence that a tap restricted to first .. first + count is shown; count 0: all. */
static size_t shown_rows(size_t tokens, size_t first, size_t count) {
  if (count == 0) return tokens;
  if (first >= tokens) return 0;
  return count < tokens - first ? count : tokens - first;
}

static const TapMatrix *take(const TapRecord *record, size_t *at) {
  assert_true(*at < record->count);
  return &record->matrices[(*at)++];
}

/* The names, in order, with their shapes. */
static void check_order(const CoreProblem *problem, const TapRecord *record, AttendPath path,
                        size_t first, size_t count) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t group = s->query_heads / s->kv_heads;
  size_t at = 0;
  for (size_t b = 0; b < s->batch; b++) {
    const OracleSequence sequence = sequence_of(problem, b);
    const size_t Nq = sequence.query_tokens, Nk = sequence.key_tokens;
    const size_t rows = shown_rows(Nq, first, count);
    for (size_t h = 0; h < s->query_heads; h++) {
      if (path == ATTEND_PATH_NAIVE) {
        expect_matrix(take(record, &at), "query", b, h, 0, Nq, s->head_dim);
        expect_matrix(take(record, &at), "key", b, h / group, 0, Nk, s->head_dim);
        expect_matrix(take(record, &at), "value", b, h / group, 0, Nk, s->value_dim);
      }
      for (size_t k = 0; k < COUNT_OF(steps); k++) {
        if (k == 1 && problem->options.softcap == 0.0f) continue;
        const TapMatrix *const got = take(record, &at);
        expect_matrix(got, steps[k], b, h, rows ? first : got->first_row, rows, Nk);
      }
      if (path == ATTEND_PATH_NAIVE)
        expect_matrix(take(record, &at), "context", b, h, 0, Nq, s->value_dim);
    }
  }
  assert_int_equal(at, record->count);
}

static void check_element(const TapMatrix *matrix, size_t r, size_t c, double expected) {
  const double got = (double)matrix->data[r * matrix->columns + c];
  if (!is_close(got, expected, fixed_allowance(expected)))
    fail_msg("%s of b=%zu h=%zu at (%zu, %zu) is %.9g, expected %.9g", matrix->name, matrix->batch,
             matrix->head, matrix->first_row + r, c, got, expected);
}

/* The score matrices against the oracle's steps. */
static void check_steps(const CoreProblem *problem, const TapRecord *record) {
  const OracleCore core = problem_oracle(problem);
  double *const row = new_bytes(4 * (core.key_tokens + 1) * sizeof *row);
  double *const kept[] = {row, row + core.key_tokens, row + 2 * core.key_tokens,
                          row + 3 * core.key_tokens};
  const OracleSteps wanted = {kept[0], kept[1], kept[2], kept[3]};
  for (size_t m = 0; m < record->count; m++) {
    const TapMatrix *const matrix = &record->matrices[m];
    size_t step = 0;
    while (step < COUNT_OF(steps) && strcmp(steps[step], matrix->name) != 0) step++;
    if (step == COUNT_OF(steps)) continue;
    for (size_t r = 0; r < matrix->rows; r++) {
      oracle_core_steps(&core, matrix->batch, matrix->first_row + r, matrix->head, &wanted);
      for (size_t c = 0; c < matrix->columns; c++) check_element(matrix, r, c, kept[step][c]);
    }
  }
  free(row);
}

/* The operands are copies, and the context is the output. */
static void check_operands(const CoreProblem *problem, const TapRecord *record,
                           const Result *result) {
  const AttendShape *const s = &problem->spec.shape;
  const bool ragged = problem->options.query_offsets != NULL;
  for (size_t m = 0; m < record->count; m++) {
    const TapMatrix *const matrix = &record->matrices[m];
    const OracleSequence sequence = sequence_of(problem, matrix->batch);
    const size_t row_bytes = matrix->columns * sizeof(float);
    for (size_t r = 0; r < matrix->rows; r++) {
      const float *expected = NULL;
      if (strcmp(matrix->name, "query") == 0)
        expected =
            problem_row(&problem->query, sequence.query_batch, sequence.query_at + r, matrix->head);
      if (strcmp(matrix->name, "key") == 0)
        expected =
            problem_row(&problem->key, sequence.key_batch, sequence.key_at + r, matrix->head);
      if (strcmp(matrix->name, "value") == 0)
        expected =
            problem_row(&problem->value, sequence.key_batch, sequence.key_at + r, matrix->head);
      if (strcmp(matrix->name, "context") == 0)
        expected = result->out +
                   (((ragged ? 0 : matrix->batch) * s->query_tokens + sequence.query_at + r) *
                        s->query_heads +
                    matrix->head) *
                       s->value_dim;
      if (expected) assert_memory_equal(matrix->data + r * matrix->columns, expected, row_bytes);
    }
  }
}

static Result run_problem(AttendContext *context, const CoreProblem *problem) {
  return core_run(context, &problem->spec.shape, problem->query, problem->key, problem->value,
                  &problem->options);
}

/* One problem with and without a tap on its rows first .. first + count: the result has the same
 * bits, in a workspace that is as large as the plan says. */
static void check_tap(const CoreProblem *problem, Engine engine, size_t first, size_t count) {
  AttendContext *context = engine_open(engine, 2);
  TapRecord record;
  Result expected = run_problem(context, problem);
  tap_record_start(&record, context);
  assert_ok(context, attend_set_tap_rows(context, first, count));
  AttendPlan plan = {.struct_size = sizeof plan};
  assert_ok(context, attend_plan_core(context, &problem->spec.shape, &problem->options, &plan));
  void *const workspace = guarded_new(plan.workspace_bytes, 0);
  assert_ok(context, attend_set_workspace(context, workspace, plan.workspace_bytes));
  Result got = run_problem(context, problem);
  assert_memory_equal(got.out, expected.out, got.out_floats * sizeof(float));
  assert_memory_equal(got.lse, expected.lse, got.lse_floats * sizeof(float));
  if (engine.path == ATTEND_PATH_TILED && count == 0) {
    assert_int_equal(record.count, 0);
  } else {
    check_order(problem, &record, engine.path, first, count);
    check_steps(problem, &record);
    check_operands(problem, &record, &got);
  }
  const size_t before = record.count;
  assert_ok(context, attend_set_tap(context, NULL, NULL));
  assert_ok(context, attend_set_workspace(context, NULL, 0));
  Result again = run_problem(context, problem);
  assert_int_equal(record.count, before);
  result_free(&again);
  result_free(&got);
  result_free(&expected);
  attend_close(&context);
  guarded_free(workspace, "the workspace");
  tap_record_clear(&record);
}

static void matrices_of_every_path(void **state) {
  (void)state;
  static const size_t ranges[][2] = {{0, 0}, {0, 1}, {3, 2}, {4, 100}, {0, 1000}, {100, 3}};
  Engine engines[2 * MAX_ENGINES];
  size_t count = list_engines(engines);
  count += list_engines_in(ATTEND_PRECISION_BF16X6, engines + count);
  for (size_t c = 0; c < COUNT_OF(cases); c++) {
    CoreProblem problem = problem_new(&cases[c]);
    for (size_t k = 0; k < count; k++)
      for (size_t r = 0; r < COUNT_OF(ranges); r++)
        check_tap(&problem, engines[k], ranges[r][0], ranges[r][1]);
    problem_free(&problem);
  }
}

/* Weights of a row are shares of one, less the sink's; those of a row without keys are zero. In
 * every precision they are those of the row's LSE. */
static void weights_add_up(void **state) {
  (void)state;
  Engine engines[MAX_ENGINES + MAX_TILED_ENGINES];
  size_t count = list_engines(engines);
  count += list_tiled_engines(engines + count);
  for (size_t k = 0; k < count; k++) {
    CoreProblem problem = problem_new(&cases[1]);
    AttendContext *context = engine_open(engines[k], 1);
    TapRecord record;
    tap_record_start(&record, context);
    assert_ok(context, attend_set_tap_rows(context, 0, 7));
    Result result = run_problem(context, &problem);
    for (size_t b = 0; b < 2; b++) {
      for (size_t h = 0; h < 4; h++) {
        const TapMatrix *const weights = tap_record_find(&record, "weights", b, h);
        assert_non_null(weights);
        for (size_t i = 0; i < 7; i++) {
          const double lse = (double)result.lse[(b * 4 + h) * 7 + i];
          double sum = exp((double)problem.data.sinks[h] - lse);
          for (size_t j = 0; j < 19; j++) sum += (double)weights->data[i * 19 + j];
          assert_true(fabs(sum - 1.0) < 1e-5);
          if (i < 2) assert_true(fabs(lse - (double)problem.data.sinks[h]) < 1e-5);
        }
      }
    }
    result_free(&result);
    attend_close(&context);
    tap_record_clear(&record);
    problem_free(&problem);
  }
}

static void null_contexts(void **state) {
  (void)state;
  assert_int_equal(attend_set_tap(NULL, NULL, NULL), ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_set_tap_rows(NULL, 0, 1), ATTEND_STATUS_NULL_POINTER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matrices_of_every_path),
      cmocka_unit_test(weights_add_up),
      cmocka_unit_test(null_contexts),
  };
  return cmocka_run_group_tests_name("taps", tests, NULL, NULL);
}
