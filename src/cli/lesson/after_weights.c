/* after_weights.c - context, concat and output from weights, in plain loops that add in double.
 *
 * No call of the library takes weights, so this is the one piece of attention that the tool
 * computes itself. Scores and values are those that the library has formed.
 */
#include "cli/lesson/after_weights.h"

#include <math.h>
#include <string.h>

/* The values of a head: from the trace, or the columns of V as given. */
static bool values_of(const Lesson *lesson, const Trace *from, size_t kv_head, Matrix *values) {
  const Matrix *const kept = trace_find(from, "value", kv_head);
  if (kept != NULL)
    return matrix_copy(kept->data, kept->rows, kept->columns, kept->columns, values);
  const Matrix *const given = &lesson->matrices[LESSON_V];
  const size_t dim = lesson->shape.value_dim;
  return given->data != NULL &&
         matrix_copy(given->data + kv_head * dim, given->rows, dim, given->columns, values);
}

static bool has_weights(const float *weights, size_t count) {
  for (size_t j = 0; j < count; j++) {
    if (weights[j] != 0) return true;
  }
  return false;
}

/* context = weights V over the keys that the row sees. */
static bool mean_of_values(const Matrix *weights, const Matrix *masked, const Matrix *values,
                           Matrix *context) {
  if (!matrix_new(weights->rows, values->columns, context)) return false;
  for (size_t i = 0; i < context->rows; i++) {
    const float *const w = weights->data + i * weights->columns;
    const float *const s = masked->data + i * masked->columns;
    if (!has_weights(w, weights->columns)) continue;
    for (size_t d = 0; d < context->columns; d++) {
      double sum = 0;
      for (size_t j = 0; j < values->rows; j++) {
        if (s[j] == -INFINITY) continue;
        sum += (double)w[j] * (double)values->data[j * values->columns + d];
      }
      context->data[i * context->columns + d] = (float)sum;
    }
  }
  return true;
}

static void place_columns(const Matrix *context, size_t head, Matrix *concat) {
  for (size_t r = 0; r < context->rows; r++) {
    memcpy(concat->data + r * concat->columns + head * context->columns,
           context->data + r * context->columns, context->columns * sizeof *context->data);
  }
}

static bool finish_head(const Lesson *lesson, const Trace *from, MakeWeights make, size_t head,
                        Trace *to, Matrix *concat) {
  const size_t group = lesson->shape.query_heads / lesson->shape.kv_heads;
  const Matrix *const masked = trace_find(from, "masked_scores", head);
  Matrix values = {0}, weights = {0}, context = {0};
  const bool made = masked != NULL && values_of(lesson, from, head / group, &values) &&
                    make(from, head, to, &weights) &&
                    mean_of_values(&weights, masked, &values, &context);
  if (made) {
    place_columns(&context, head, concat);
    trace_add(to, "weights", true, head, &weights);
    trace_add(to, "context", true, head, &context);
  }
  matrix_free(&values);
  matrix_free(&weights);
  matrix_free(&context);
  return made;
}

bool after_weights(const Lesson *lesson, const Trace *from, MakeWeights make, Trace *to) {
  const AttendLayerShape *const s = &lesson->shape;
  Matrix concat, output;
  if (!matrix_new(lesson->query_tokens, s->query_heads * s->value_dim, &concat)) return false;
  bool made = true;
  for (size_t h = 0; made && h < s->query_heads; h++) {
    made = finish_head(lesson, from, make, h, to, &concat);
  }
  if (made && lesson_has(lesson, LESSON_W_O)) {
    made = matrix_multiply(&concat, &lesson->matrices[LESSON_W_O], &lesson->matrices[LESSON_B_O],
                           &output);
    trace_add(to, "output", false, 0, &output);
  }
  trace_add(to, "concat", false, 0, &concat);
  return made && !to->out_of_memory;
}
