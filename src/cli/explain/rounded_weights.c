/* rounded_weights.c - the weights of a trace, rounded, and what follows from them
 * (lesson/after_weights.c). */
#include "cli/explain/rounded_weights.h"

#include <math.h>

#include "cli/lesson/after_weights.h"

float round_to(float value, int digits) {
  const double unit = pow(10, digits);
  return (float)(round((double)value * unit) / unit);
}

static bool round_weights(const Trace *from, size_t head, const Trace *to, Matrix *weights) {
  const Matrix *const exact = trace_find(from, "weights", head);
  if (exact == NULL ||
      !matrix_copy(exact->data, exact->rows, exact->columns, exact->columns, weights)) {
    return false;
  }
  for (size_t i = 0; i < weights->rows * weights->columns; i++) {
    weights->data[i] = round_to(weights->data[i], to->round);
  }
  return true;
}

bool rounded_trace(const Lesson *lesson, const Trace *exact, int digits, Trace *rounded) {
  *rounded = (Trace){
      .path = exact->path,
      .normalization = exact->normalization,
      .round = digits,
      .head_count = lesson->shape.query_heads,
  };
  return after_weights(lesson, exact, round_weights, rounded);
}
