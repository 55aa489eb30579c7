/* rounded_weights.c - the part of a head that comes after the weights, in plain loops over a trace.
 *
 * No call of the library takes weights, so this is the one piece of attention that the tool
 * computes itself. It starts from weights and values that the library has formed.
 */
#include "cli/explain/rounded_weights.h"

#include <math.h>
#include <string.h>

float round_to(float value, int digits) {
  const double unit = pow(10, digits);
  return (float)(round((double)value * unit) / unit);
}

/* The values of a head: from the trace, or the columns of V as given. */
static bool values_of(const Lesson *lesson, const Trace *exact, size_t kv_head, Matrix *values) {
  const Matrix *const kept = trace_find(exact, "value", kv_head);
  if (kept != NULL)
    return matrix_copy(kept->data, kept->rows, kept->columns, kept->columns, values);
  const Matrix *const given = &lesson->matrices[LESSON_V];
  const size_t dim = lesson->shape.value_dim;
  return given->data != NULL &&
         matrix_copy(given->data + kv_head * dim, given->rows, dim, given->columns, values);
}

static void place_columns(const Matrix *context, size_t head, Matrix *concat) {
  for (size_t r = 0; r < context->rows; r++) {
    memcpy(concat->data + r * concat->columns + head * context->columns,
           context->data + r * context->columns, context->columns * sizeof *context->data);
  }
}

static bool round_head(const Lesson *lesson, const Trace *exact, size_t head, Trace *rounded,
                       Matrix *concat) {
  const size_t group = lesson->shape.query_heads / lesson->shape.kv_heads;
  const Matrix *const weights = trace_find(exact, "weights", head), none = {0};
  Matrix values = {0}, rounded_weights = {0}, context = {0};
  const bool done = weights != NULL && values_of(lesson, exact, head / group, &values) &&
                    matrix_copy(weights->data, weights->rows, weights->columns, weights->columns,
                                &rounded_weights);
  if (done) {
    for (size_t i = 0; i < weights->rows * weights->columns; i++) {
      rounded_weights.data[i] = round_to(rounded_weights.data[i], rounded->round);
    }
  }
  const bool made = done && matrix_multiply(&rounded_weights, &values, &none, &context);
  if (made) {
    place_columns(&context, head, concat);
    trace_add(rounded, "weights", true, head, &rounded_weights);
    trace_add(rounded, "context", true, head, &context);
  }
  matrix_free(&values);
  matrix_free(&rounded_weights);
  matrix_free(&context);
  return made;
}

bool rounded_trace(const Lesson *lesson, const Trace *exact, int digits, Trace *rounded) {
  const AttendLayerShape *const s = &lesson->shape;
  *rounded = (Trace){
      .path = exact->path,
      .normalization = exact->normalization,
      .round = digits,
      .head_count = s->query_heads,
  };
  Matrix concat, output;
  if (!matrix_new(lesson->query_tokens, s->query_heads * s->value_dim, &concat)) return false;
  bool made = true;
  for (size_t h = 0; made && h < s->query_heads; h++) {
    made = round_head(lesson, exact, h, rounded, &concat);
  }
  if (made && lesson_has(lesson, LESSON_W_O)) {
    made = matrix_multiply(&concat, &lesson->matrices[LESSON_W_O], &lesson->matrices[LESSON_B_O],
                           &output);
    trace_add(rounded, "output", false, 0, &output);
  }
  trace_add(rounded, "concat", false, 0, &concat);
  return made && !rounded->out_of_memory;
}
