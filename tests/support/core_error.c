/* core_error.c - the largest error and the largest bound over the whole output of a core problem.
 *
 * Whether each element is within a bound of its own is the business of core_check.c.
 */
#include "tests/support/core_error.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/core_check.h"
#include "tests/support/core_result.h"

double largest_error(const CoreProblem *problem, const double *out) {
  const AttendShape *const s = &problem->spec.shape;
  double largest = 0.0;
  for (size_t e = 0; e < s->batch * s->query_tokens * s->query_heads * s->value_dim; e++) {
    if (isnan(out[e])) return INFINITY;
    largest = fmax(largest, fabs(out[e] - problem->out[e]));
  }
  return largest;
}

double engine_error(const CoreProblem *problem, Engine engine, size_t threads) {
  Result result = core_run_problem(problem, engine, threads);
  double *const out = new_bytes(result.out_floats * sizeof *out);
  for (size_t e = 0; e < result.out_floats; e++) out[e] = (double)result.out[e];
  const double error = largest_error(problem, out);
  free(out);
  result_free(&result);
  return error;
}

static double largest_value(const CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  double largest = 0.0;
  for (size_t b = 0; b < s->batch; b++)
    for (size_t j = 0; j < s->key_tokens; j++)
      for (size_t h = 0; h < s->kv_heads; h++) {
        const float *const value = problem_row(&problem->value, b, j, h);
        for (size_t d = 0; d < s->value_dim; d++) largest = fmax(largest, fabs((double)value[d]));
      }
  return largest;
}

double largest_bound(const CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  double largest = 0.0;
  for (size_t b = 0; b < s->batch; b++)
    for (size_t i = 0; i < s->query_tokens; i++)
      for (size_t h = 0; h < s->query_heads; h++) {
        const OracleRow *const row = problem->rows + (b * s->query_heads + h) * s->query_tokens + i;
        const size_t at = ((b * s->query_tokens + i) * s->query_heads + h) * s->value_dim;
        for (size_t d = 0; d < s->value_dim; d++)
          largest = fmax(largest, problem_row_bound(problem, row, at + d));
      }
  /* Rounded weights and values may reach beyond the largest value. */
  return fmin(largest, 2.0 * largest_value(problem) * (1.0 + product_error(problem->precision)));
}
