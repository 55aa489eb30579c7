/* sum_weights.c - dividing by the sum, on masked scores that the naive path has formed.
 *
 * The library's calls go through softmax; only the step from masked scores to weights is another
 * here, and what follows from it.
 */
#include "cli/lesson/sum_weights.h"

#include <math.h>
#include <string.h>

#include "cli/lesson/after_weights.h"

static void divide_row(const float *s, size_t count, float *w) {
  float sum = 0;
  for (size_t j = 0; j < count; j++) sum += s[j] == -INFINITY ? 0 : s[j];
  for (size_t j = 0; j < count; j++) w[j] = s[j] == -INFINITY || sum == 0 ? 0 : s[j] / sum;
}

static bool divide_by_sums(const Trace *from, size_t head, const Trace *to, Matrix *weights) {
  const Matrix *const masked = trace_find(from, "masked_scores", head);
  (void)to;
  if (masked == NULL || !matrix_new(masked->rows, masked->columns, weights)) return false;
  for (size_t i = 0; i < masked->rows; i++) {
    divide_row(masked->data + i * masked->columns, masked->columns,
               weights->data + i * masked->columns);
  }
  return true;
}

bool sum_weights_make(const char *name) {
  static const char *const made[] = {"weights", "context", "concat", "output"};
  for (size_t k = 0; k < sizeof made / sizeof *made; k++) {
    if (strcmp(name, made[k]) == 0) return true;
  }
  return false;
}

bool sum_weights_add(const Lesson *lesson, Trace *trace) {
  return after_weights(lesson, trace, divide_by_sums, trace);
}
