/* random_lesson.c - fills a model's layer with random numbers.
 *
 * Every matrix has a stream of its own, so that its contents depend on seed and size alone. RoPE,
 * QK-norm, softcap, window and sinks are the model's: what is shown is its first layer.
 */
#include "cli/lesson/random_lesson.h"

#include <math.h>
#include <stdio.h>

#include "bench/random.h"

#define QUERY_GAIN 6.0f
#define BIAS_SCALE 0.5f
#define SINK_SCALE 2.0f
#define NORM_SPREAD 0.25f

/* Streams LESSON_MATRIX_COUNT and on are those of matrices that files do not have. */
enum { STREAM_QUERY_NORM = LESSON_MATRIX_COUNT, STREAM_KEY_NORM, STREAM_SINKS };

void random_lesson_outline(const AttendModel *model, size_t tokens, Lesson *lesson) {
  lesson_init(lesson);
  snprintf(lesson->name, sizeof lesson->name, "%s", model->name);
  snprintf(lesson->about, sizeof lesson->about, "%s over %zu tokens, on random data",
           model->layers > 1 ? "The first layer of the model" : "A layer of these sizes", tokens);
  lesson->shape = model->shape;
  lesson->query_tokens = lesson->key_tokens = tokens;
  lesson->causal = true;
  lesson->of_model = true;
  lesson->model = *model;
}

static bool fill(size_t seed, size_t stream, float scale, size_t rows, size_t columns,
                 Matrix *matrix) {
  if (!matrix_new(rows, columns, matrix)) return false;
  random_fill(seed, stream, scale, matrix->data, rows * columns);
  return true;
}

/* Uniform numbers of variance 1/rows. */
static bool fill_weight(size_t seed, LessonMatrix name, float gain, size_t rows, size_t columns,
                        Lesson *lesson) {
  const float scale = gain * (float)sqrt(3.0 / (double)rows);
  return fill(seed, name, scale, rows, columns, &lesson->matrices[name]);
}

static bool fill_bias(size_t seed, LessonMatrix name, size_t columns, Lesson *lesson) {
  return fill(seed, name, BIAS_SCALE, 1, columns, &lesson->matrices[name]);
}

/* Weights of a norm lie around 1. */
static bool fill_norm(size_t seed, size_t stream, size_t dim, Matrix *matrix) {
  if (!fill(seed, stream, NORM_SPREAD, 1, dim, matrix)) return false;
  for (size_t d = 0; d < dim; d++) matrix->data[d] += 1.0f;
  return true;
}

static bool fill_extras(size_t seed, Lesson *lesson) {
  const AttendLayerShape *const s = &lesson->shape;
  const AttendModel *const model = &lesson->model;
  if (model->qkv_bias && !(fill_bias(seed, LESSON_B_Q, s->query_heads * s->head_dim, lesson) &&
                           fill_bias(seed, LESSON_B_K, s->kv_heads * s->head_dim, lesson) &&
                           fill_bias(seed, LESSON_B_V, s->kv_heads * s->value_dim, lesson))) {
    return false;
  }
  if (model->output_bias && !fill_bias(seed, LESSON_B_O, s->width, lesson)) return false;
  if (model->qk_norm && !(fill_norm(seed, STREAM_QUERY_NORM, s->head_dim, &lesson->query_norm) &&
                          fill_norm(seed, STREAM_KEY_NORM, s->head_dim, &lesson->key_norm))) {
    return false;
  }
  return !model->sinks || fill(seed, STREAM_SINKS, SINK_SCALE, 1, s->query_heads, &lesson->sinks);
}

bool random_lesson_fill(const AttendModel *model, size_t tokens, size_t seed, Lesson *lesson) {
  random_lesson_outline(model, tokens, lesson);
  const AttendLayerShape *const s = &lesson->shape;
  const size_t queries = s->query_heads * s->head_dim, keys = s->kv_heads * s->head_dim;
  const size_t values = s->kv_heads * s->value_dim, heads = s->query_heads * s->value_dim;
  if (fill(seed, LESSON_X, 1, tokens, s->width, &lesson->matrices[LESSON_X]) &&
      fill_weight(seed, LESSON_W_Q, QUERY_GAIN, s->width, queries, lesson) &&
      fill_weight(seed, LESSON_W_K, 1, s->width, keys, lesson) &&
      fill_weight(seed, LESSON_W_V, 1, s->width, values, lesson) &&
      fill_weight(seed, LESSON_W_O, 1, heads, s->width, lesson) && fill_extras(seed, lesson)) {
    return true;
  }
  lesson_free(lesson);
  return false;
}
