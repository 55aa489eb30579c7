/* hostile_problem.c - random numbers in [-1, 1], bent until they are hard on a precision.
 *
 * Values stay in [-1, 1] in all of them, so that errors of outputs can be compared.
 */
#include "tests/support/hostile_problem.h"

#include <math.h>

static float sign_of_channel(size_t d) {
  return d * 2654435761u >> 7 & 1 ? 1.0f : -1.0f;
}

static void shape_row(const Hostile *input, float *row, size_t dim, float bias, bool outliers) {
  for (size_t d = 0; d < dim; d++) {
    row[d] += bias * sign_of_channel(d);
    if (outliers && input->outliers && d % input->outliers == 3) row[d] *= 100.0f;
  }
}

static double largest_score(const CoreProblem *problem) {
  const AttendShape *const s = &problem->spec.shape;
  double largest = 0.0;
  for (size_t i = 0; i < s->query_tokens; i++)
    for (size_t j = 0; j < s->key_tokens; j++) {
      const float *const q = problem_row(&problem->query, 0, i, 0);
      const float *const k = problem_row(&problem->key, 0, j, 0);
      double sum = 0.0;
      for (size_t d = 0; d < s->head_dim; d++) sum += (double)q[d] * (double)k[d];
      largest = fmax(largest, fabs(sum) / sqrt((double)s->head_dim));
    }
  return largest;
}

CoreProblem hostile_problem(const Hostile *input, size_t head_dim, uint64_t seed) {
  const CoreCase spec = {
      .shape = {1, 150, 300, 1, 1, head_dim, head_dim}, .q_start = 150, .seed = seed};
  CoreProblem problem = problem_new(&spec);
  const AttendShape *const s = &spec.shape;
  for (size_t i = 0; i < s->query_tokens; i++)
    shape_row(input, problem_row(&problem.query, 0, i, 0), s->head_dim, input->query_bias, false);
  for (size_t j = 0; j < s->key_tokens; j++) {
    float *const key = problem_row(&problem.key, 0, j, 0);
    float *const value = problem_row(&problem.value, 0, j, 0);
    shape_row(input, key, s->head_dim, input->key_bias, true);
    if (!input->cancelling || j % 2 == 0) continue;
    const float *const before = problem_row(&problem.key, 0, j - 1, 0);
    const float *const opposite = problem_row(&problem.value, 0, j - 1, 0);
    for (size_t d = 0; d < s->head_dim; d++) key[d] = before[d];
    for (size_t d = 0; d < s->value_dim; d++) value[d] = -opposite[d] + 1e-4f * value[d];
  }
  if (input->score > 0.0f) {
    const float factor = (float)((double)input->score / largest_score(&problem));
    for (size_t i = 0; i < s->query_tokens; i++)
      for (size_t d = 0; d < s->head_dim; d++) problem_row(&problem.query, 0, i, 0)[d] *= factor;
  }
  return problem;
}
