/* lesson.c - derives the shape of a lesson from its matrices; refuses what does not fit.
 *
 * Owns the sentences on matrices that do not go together. Each matrix is judged against those
 * before it, in the order X, weights, W_o (or Q, K, V, W_o), so that the sentence names the first
 * wrong one.
 */
#include "cli/lesson/lesson.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WHY_SIZE 160

const char *lesson_matrix_name(LessonMatrix name) {
  static const char *const names[] = {
#define LESSON_FIELD(name, field) [LESSON_##name] = (field),
      LESSON_MATRICES(LESSON_FIELD)
#undef LESSON_FIELD
  };
  return names[name];
}

void lesson_init(Lesson *lesson) {
  *lesson = (Lesson){
      .shape = {.query_heads = 1, .kv_heads = 1},
      .round = LESSON_NOT_ROUNDED,
  };
}

void lesson_free(Lesson *lesson) {
  for (size_t i = 0; i < LESSON_MATRIX_COUNT; i++) matrix_free(&lesson->matrices[i]);
  matrix_free(&lesson->query_norm);
  matrix_free(&lesson->key_norm);
  matrix_free(&lesson->sinks);
  free(lesson->mask);
  free(lesson->labels);
  lesson_init(lesson);
}

__attribute__((format(printf, 2, 3))) static bool refuse(char *error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error, LESSON_ERROR_SIZE, format, arguments);
  va_end(arguments);
  return false;
}

/* A matrix that must have so many rows or columns; `why` follows the number expected. */
static bool has_rows(const Lesson *lesson, LessonMatrix name, size_t rows, const char *why,
                     char *error) {
  const size_t found = lesson->matrices[name].rows;
  if (found == rows) return true;
  return refuse(error, "%s has %zu row%s; %zu %s expected, %s", lesson_matrix_name(name), found,
                found == 1 ? "" : "s", rows, rows == 1 ? "is" : "are", why);
}

static bool has_columns(const Lesson *lesson, LessonMatrix name, size_t columns, const char *why,
                        char *error) {
  const size_t found = lesson->matrices[name].columns;
  if (found == columns) return true;
  return refuse(error, "%s has %zu column%s; %zu %s expected, %s", lesson_matrix_name(name), found,
                found == 1 ? "" : "s", columns, columns == 1 ? "is" : "are", why);
}

/* Columns that are shared by `heads` heads: *each receives the width of one. */
static bool divide_columns(const Lesson *lesson, LessonMatrix name, size_t heads, size_t *each,
                           char *error) {
  const size_t columns = lesson->matrices[name].columns;
  if (columns % heads != 0) {
    return refuse(error, "%s has %zu columns, which %zu heads cannot share equally",
                  lesson_matrix_name(name), columns, heads);
  }
  *each = columns / heads;
  return true;
}

static bool refuse_present(const Lesson *lesson, LessonMatrix first, LessonMatrix last,
                           const char *why, char *error) {
  for (int name = (int)first; name <= (int)last; name++) {
    if (lesson_has(lesson, (LessonMatrix)name)) {
      return refuse(error, "%s %s", lesson_matrix_name((LessonMatrix)name), why);
    }
  }
  return true;
}

static bool require(const Lesson *lesson, LessonMatrix name, const char *why, char *error) {
  if (lesson_has(lesson, name)) return true;
  return refuse(error, "%s is missing; %s", lesson_matrix_name(name), why);
}

/* A bias is as long as its matrix has columns. */
static bool check_bias(const Lesson *lesson, LessonMatrix bias, LessonMatrix of, char *error) {
  if (!lesson_has(lesson, bias)) return true;
  const size_t found = lesson->matrices[bias].columns, wanted = lesson->matrices[of].columns;
  if (found == wanted) return true;
  return refuse(error, "%s has %zu element%s; %zu %s expected, one for each column of %s",
                lesson_matrix_name(bias), found, found == 1 ? "" : "s", wanted,
                wanted == 1 ? "is" : "are", lesson_matrix_name(of));
}

static bool complete_fused(Lesson *lesson, char *error) {
  AttendLayerShape *const s = &lesson->shape;
  if (!refuse_present(lesson, LESSON_W_Q, LESSON_W_V,
                      "stands beside W_qkv; give either W_qkv, or W_q, W_k and W_v", error) ||
      !refuse_present(lesson, LESSON_B_Q, LESSON_B_V,
                      "stands beside W_qkv, whose bias is b_qkv; give that one", error) ||
      !has_rows(lesson, LESSON_W_QKV, s->width, "one for each column of X", error) ||
      !check_bias(lesson, LESSON_B_QKV, LESSON_W_QKV, error)) {
    return false;
  }
  const size_t columns = lesson->matrices[LESSON_W_QKV].columns;
  if (lesson_has(lesson, LESSON_W_O)) {
    const size_t rows = lesson->matrices[LESSON_W_O].rows;
    if (rows % s->query_heads != 0) {
      return refuse(error, "W_o has %zu rows, which %zu heads cannot share equally", rows,
                    s->query_heads);
    }
    s->value_dim = rows / s->query_heads;
    const size_t values = s->kv_heads * s->value_dim, heads = s->query_heads + s->kv_heads;
    if (columns <= values || (columns - values) % heads != 0) {
      return refuse(error,
                    "W_qkv has %zu columns, which do not divide into %zu query, %zu key and %zu "
                    "value heads (of dimension %zu, by the rows of W_o)",
                    columns, s->query_heads, s->kv_heads, s->kv_heads, s->value_dim);
    }
    s->head_dim = (columns - values) / heads;
    return true;
  }
  const size_t heads = s->query_heads + 2 * s->kv_heads;
  if (columns % heads != 0) {
    return refuse(error,
                  "W_qkv has %zu columns, which do not divide into %zu query, %zu key and %zu "
                  "value heads",
                  columns, s->query_heads, s->kv_heads, s->kv_heads);
  }
  s->head_dim = s->value_dim = columns / heads;
  return true;
}

static bool complete_separate(Lesson *lesson, char *error) {
  AttendLayerShape *const s = &lesson->shape;
  static const char needed[] = "X goes with W_q, W_k and W_v, or with W_qkv";
  static const char rows[] = "one for each column of X";
  for (int name = LESSON_W_Q; name <= LESSON_W_V; name++) {
    if (!require(lesson, (LessonMatrix)name, needed, error) ||
        !has_rows(lesson, (LessonMatrix)name, s->width, rows, error)) {
      return false;
    }
  }
  if (!refuse_present(lesson, LESSON_B_QKV, LESSON_B_QKV,
                      "stands beside separate W_q, W_k and W_v; give b_q, b_k and b_v", error) ||
      !divide_columns(lesson, LESSON_W_Q, s->query_heads, &s->head_dim, error)) {
    return false;
  }
  char why[WHY_SIZE];
  snprintf(why, sizeof why, "%zu for each of %zu key/value head%s, as W_q has for each head",
           s->head_dim, s->kv_heads, s->kv_heads == 1 ? "" : "s");
  return has_columns(lesson, LESSON_W_K, s->kv_heads * s->head_dim, why, error) &&
         divide_columns(lesson, LESSON_W_V, s->kv_heads, &s->value_dim, error) &&
         check_bias(lesson, LESSON_B_Q, LESSON_W_Q, error) &&
         check_bias(lesson, LESSON_B_K, LESSON_W_K, error) &&
         check_bias(lesson, LESSON_B_V, LESSON_W_V, error);
}

static bool complete_core(Lesson *lesson, char *error) {
  AttendLayerShape *const s = &lesson->shape;
  static const char needed[] = "give Q, K and V, or X with weights";
  for (int name = LESSON_Q; name <= LESSON_V; name++) {
    if (!require(lesson, (LessonMatrix)name, needed, error)) return false;
  }
  if (!refuse_present(lesson, LESSON_X, LESSON_B_QKV,
                      "stands beside Q, K and V, which it would make; give either", error) ||
      !divide_columns(lesson, LESSON_Q, s->query_heads, &s->head_dim, error)) {
    return false;
  }
  lesson->query_tokens = lesson->matrices[LESSON_Q].rows;
  lesson->key_tokens = lesson->matrices[LESSON_K].rows;
  char why[WHY_SIZE];
  snprintf(why, sizeof why, "%zu for each of %zu key/value head%s, as Q has for each head",
           s->head_dim, s->kv_heads, s->kv_heads == 1 ? "" : "s");
  return has_columns(lesson, LESSON_K, s->kv_heads * s->head_dim, why, error) &&
         has_rows(lesson, LESSON_V, lesson->key_tokens, "one for each row of K", error) &&
         divide_columns(lesson, LESSON_V, s->kv_heads, &s->value_dim, error);
}

static bool complete_layer(Lesson *lesson, char *error) {
  if (!require(lesson, LESSON_X, "give X with weights, or Q, K and V", error)) return false;
  lesson->shape.width = lesson->matrices[LESSON_X].columns;
  lesson->query_tokens = lesson->key_tokens = lesson->matrices[LESSON_X].rows;
  return lesson_has(lesson, LESSON_W_QKV) ? complete_fused(lesson, error)
                                          : complete_separate(lesson, error);
}

static bool complete_output(Lesson *lesson, bool core, char *error) {
  AttendLayerShape *const s = &lesson->shape;
  if (!lesson_has(lesson, LESSON_W_O)) {
    return refuse_present(lesson, LESSON_B_O, LESSON_B_O, "is given without W_o", error);
  }
  char why[WHY_SIZE];
  snprintf(why, sizeof why, "%zu for each of %zu query head%s", s->value_dim, s->query_heads,
           s->query_heads == 1 ? "" : "s");
  if (core) s->width = lesson->matrices[LESSON_W_O].columns;
  return has_rows(lesson, LESSON_W_O, s->query_heads * s->value_dim, why, error) &&
         has_columns(lesson, LESSON_W_O, s->width, "because the output is as wide as X", error) &&
         check_bias(lesson, LESSON_B_O, LESSON_W_O, error);
}

bool lesson_complete(Lesson *lesson, char *error) {
  const AttendLayerShape *const s = &lesson->shape;
  if (s->query_heads % s->kv_heads != 0) {
    return refuse(error, "kv_heads is %zu, which does not divide the %zu query heads", s->kv_heads,
                  s->query_heads);
  }
  const bool core =
      lesson_has(lesson, LESSON_Q) || lesson_has(lesson, LESSON_K) || lesson_has(lesson, LESSON_V);
  return (core ? complete_core(lesson, error) : complete_layer(lesson, error)) &&
         complete_output(lesson, core, error);
}

AttendOptions lesson_options(const Lesson *lesson) {
  AttendOptions options;
  attend_default_options(&options);
  if (lesson->of_model) attend_model_options(&lesson->model, 0, &options);
  options.causal = lesson->causal;
  if (lesson->scale != 0) options.scale = lesson->scale;
  options.sinks = lesson->sinks.data;
  /* Queries fewer than the keys are those of the last tokens. */
  if (!lesson_is_layer(lesson)) {
    options.q_start = (int64_t)lesson->key_tokens - (int64_t)lesson->query_tokens;
  }
  if (lesson->mask != NULL) {
    options.mask.data = lesson->mask;
    options.mask.query_stride = lesson->key_tokens;
    options.mask.key_stride = 1;
  }
  return options;
}

float lesson_scale(const Lesson *lesson) {
  const float scale = lesson_options(lesson).scale;
  return scale != 0 ? scale : (float)(1 / sqrt((double)lesson->shape.head_dim));
}

const char *lesson_key_label(const Lesson *lesson, size_t key, LessonLabel *text) {
  if (lesson->labels != NULL) return lesson->labels[key].text;
  snprintf(text->text, sizeof text->text, "%zu", key);
  return text->text;
}

const char *lesson_query_label(const Lesson *lesson, size_t query, LessonLabel *text) {
  const size_t keys = lesson->key_tokens, queries = lesson->query_tokens;
  if (lesson->labels != NULL && queries <= keys) {
    return lesson->labels[keys - queries + query].text;
  }
  snprintf(text->text, sizeof text->text, "%zu", query);
  return text->text;
}
