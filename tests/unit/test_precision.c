/* test_precision.c - what the precisions promise beside their bounds, on inputs that are hard on
 * them.
 *
 * Largest errors over a whole output, against float64:
 *   bf16x6  within 4 times that of fp32 on the same input
 *   bf16x3  within its derived bound, and far below bf16
 *   bf16    within 2 times that of a float64 computation on inputs rounded to bf16, with weights
 *           rounded to bf16
 * The inputs: numbers in [-1, 1]; keys with one large bias in common, as Qwen2.5's; scores up to
 * 300; channels that are 100 times as large as the others; values that cancel.
 */
#include "tests/support/core_check.h"
#include "tests/support/core_error.h"
#include "tests/support/hostile_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const Hostile inputs[] = {
    {.name = "plain"},
    {.name = "key biases", .key_bias = 80.0f, .query_bias = 3.0f},
    {.name = "large key biases", .key_bias = 300.0f, .query_bias = 1.0f},
    {.name = "scores of 30", .score = 30.0f},
    {.name = "scores of 300", .score = 300.0f},
    {.name = "outlier channels", .outliers = 21},
    {.name = "cancelling values", .cancelling = true},
};

/* One row in float64 on rounded inputs, its weights rounded too: the scale is on the query. */
static void round_row(const CoreProblem *problem, size_t i, double *scores, double *out) {
  const AttendShape *const s = &problem->spec.shape;
  const size_t seen = (size_t)problem->spec.q_start + i + 1;
  const double scale = 1.0 / sqrt((double)s->head_dim);
  const float *const q = problem_row(&problem->query, 0, i, 0);
  double most = -INFINITY, sum = 0.0;
  for (size_t j = 0; j < seen; j++) {
    const float *const k = problem_row(&problem->key, 0, j, 0);
    scores[j] = 0.0;
    for (size_t d = 0; d < s->head_dim; d++)
      scores[j] += (double)stored_number((float)(scale * (double)q[d]), ATTEND_STORAGE_BF16) *
                   (double)stored_number(k[d], ATTEND_STORAGE_BF16);
    most = fmax(most, scores[j]);
  }
  for (size_t d = 0; d < s->value_dim; d++) out[d] = 0.0;
  for (size_t j = 0; j < seen; j++) {
    const float *const v = problem_row(&problem->value, 0, j, 0);
    const double weight = exp(scores[j] - most);
    const double rounded = (double)stored_number((float)weight, ATTEND_STORAGE_BF16);
    sum += weight;
    for (size_t d = 0; d < s->value_dim; d++)
      out[d] += rounded * (double)stored_number(v[d], ATTEND_STORAGE_BF16);
  }
  for (size_t d = 0; d < s->value_dim; d++) out[d] /= sum;
}

static double error_of_rounding(const CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  double *const out = new_bytes(s->query_tokens * s->value_dim * sizeof *out);
  double *const scores = new_bytes(s->key_tokens * sizeof *scores);
  for (size_t i = 0; i < s->query_tokens; i++)
    round_row(problem, i, scores, out + i * s->value_dim);
  const double error = largest_error(problem, out);
  free(out);
  free(scores);
  return error;
}

static void check_error(const Hostile *input, Engine engine, double error, double allowed) {
  if (!(error <= allowed))
    fail_msg("%s, isa=%s precision=%s: the largest error is %.3g, allowed are %.3g", input->name,
             attend_isa_name(engine.isa), attend_precision_name(engine.precision), error, allowed);
}

static void check_isa(const Hostile *input, CoreProblem *problem, AttendIsa isa, double rounding) {
  const Engine fp32 = {ATTEND_PATH_TILED, isa, ATTEND_PRECISION_FP32};
  const Engine x6 = {ATTEND_PATH_TILED, isa, ATTEND_PRECISION_BF16X6};
  const Engine x3 = {ATTEND_PATH_TILED, isa, ATTEND_PRECISION_BF16X3};
  const Engine x1 = {ATTEND_PATH_TILED, isa, ATTEND_PRECISION_BF16};
  const double plain = engine_error(problem, fp32, 2), six = engine_error(problem, x6, 2);
  const double three = engine_error(problem, x3, 2), one = engine_error(problem, x1, 2);
  print_message("# %-18s %-10s fp32 %.2e  bf16x6 %.2e  bf16x3 %.2e  bf16 %.2e  rounding %.2e\n",
                input->name, attend_isa_name(isa), plain, six, three, one, rounding);
  check_error(input, x6, six, 4.0 * plain);
  check_error(input, x3, three, 0x1p-6 * rounding);
  check_error(input, x1, one, 2.0 * rounding);
}

static void errors_stay_in_proportion(void **state) {
  (void)state;
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t n = 0; n < COUNT_OF(inputs); n++) {
    CoreProblem problem = hostile_problem(&inputs[n], 64, 11);
    problem_expect(&problem);
    const double rounding = error_of_rounding(&problem);
    for (size_t k = 0; k < count; k++) check_isa(&inputs[n], &problem, isas[k], rounding);
    problem_free(&problem);
  }
}

/* The same inputs under the bounds that are derived element by element. */
static void errors_stay_in_their_bounds(void **state) {
  (void)state;
  for (size_t n = 0; n < COUNT_OF(inputs); n++) {
    CoreProblem problem = hostile_problem(&inputs[n], 64, 11);
    problem.spec.bound = 1000.0f; /* the fixed allowance is not for these */
    problem_check_precisions(&problem, 2);
    problem_free(&problem);
  }
}

/* Fewer rows than a block, and a cache as it is stored: the way of decode. */
static void decode_is_as_exact(void **state) {
  (void)state;
  for (size_t n = 0; n < COUNT_OF(inputs); n++) {
    CoreProblem problem = hostile_problem(&inputs[n], 64, 11);
    problem.spec.shape.query_tokens = 1;
    problem.spec.bound = 1000.0f;
    problem_check_precisions(&problem, 1);
    problem_free(&problem);
  }
}

static void other_paths_refuse(void **state) {
  (void)state;
  static const AttendPath paths[] = {ATTEND_PATH_BLAS, ATTEND_PATH_NAIVE};
  const AttendShape shape = shape_of(20, 20);
  char text[4096];
  for (int p = ATTEND_PRECISION_FP32 + 1; p < ATTEND_PRECISION_COUNT; p++) {
    const char *const name = attend_precision_name((AttendPrecision)p);
    AttendPlan plan = {.struct_size = sizeof plan};
    for (size_t k = 0; k < COUNT_OF(paths); k++) {
      AttendContext *context =
          engine_open((Engine){paths[k], ATTEND_ISA_AUTO, (AttendPrecision)p}, 1);
      require_refusal(context, attend_plan_core(context, &shape, NULL, &plan),
                      ATTEND_STATUS_PATH_REFUSED, name, attend_path_name(paths[k]));
      attend_close(&context);
    }
    plan = plan_of((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, (AttendPrecision)p}, &shape, NULL);
    assert_int_equal(plan.path, ATTEND_PATH_TILED);
    assert_int_equal(plan.precision, p);
    for (size_t k = 0; k < COUNT_OF(paths); k++) {
      assert_int_equal(plan.verdicts[paths[k]].status, ATTEND_STATUS_PATH_REFUSED);
      assert_non_null(strstr(plan.verdicts[paths[k]].reason, name));
    }
    attend_describe_plan(&plan, text, sizeof text);
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, "bf16 term"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(errors_stay_in_proportion),
      cmocka_unit_test(errors_stay_in_their_bounds),
      cmocka_unit_test(decode_is_as_exact),
      cmocka_unit_test(other_paths_refuse),
  };
  return cmocka_run_group_tests_name("precision", tests, NULL, NULL);
}
