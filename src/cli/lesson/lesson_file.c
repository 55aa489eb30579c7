/* lesson_file.c - the fields of a lesson file, and the lesson that they make.
 *
 * Owns the names of the fields and their defaults. An unknown field is refused: skipping a misspelt
 * "causal" would show a student the wrong matrix.
 */
#include "cli/lesson/lesson_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lesson/lesson_reader.h"
#include "cli/message.h"
#include "cli/util/utf8.h"

#define HEADS_MAX 65536

/* Fields other than matrices. Each reader gets the field's name for its sentence. */
typedef struct Field {
  const char *name;
  bool (*read)(const LessonReport *report, const char *name, const json_t *value, Lesson *lesson);
} Field;

static bool read_text(const LessonReport *report, const char *name, const json_t *value,
                      char text[LESSON_TEXT_SIZE]) {
  if (!json_is_string(value)) {
    return lesson_refuse(report, "%s is %s; a string is expected", name,
                         lesson_describe(value).text);
  }
  const char *const string = json_string_value(value);
  if (strlen(string) >= LESSON_TEXT_SIZE) {
    return lesson_refuse(report, "%s has %zu bytes; at most %d are expected", name, strlen(string),
                         LESSON_TEXT_SIZE - 1);
  }
  for (size_t i = 0; string[i] != '\0'; i++) {
    if (utf8_control_bytes(string + i) > 0) {
      return lesson_refuse(report, "%s holds a control character; one line of text is expected",
                           name);
    }
  }
  snprintf(text, LESSON_TEXT_SIZE, "%s", string);
  return true;
}

static bool read_name(const LessonReport *report, const char *name, const json_t *value,
                      Lesson *lesson) {
  return read_text(report, name, value, lesson->name);
}

static bool read_about(const LessonReport *report, const char *name, const json_t *value,
                       Lesson *lesson) {
  return read_text(report, name, value, lesson->about);
}

static bool read_count(const LessonReport *report, const char *name, const json_t *value,
                       json_int_t least, json_int_t most, json_int_t *count) {
  if (!json_is_integer(value) || json_integer_value(value) < least ||
      json_integer_value(value) > most) {
    return lesson_refuse(report,
                         "%s is %s; a whole number from %" JSON_INTEGER_FORMAT
                         " to %" JSON_INTEGER_FORMAT " is expected",
                         name, lesson_describe(value).text, least, most);
  }
  *count = json_integer_value(value);
  return true;
}

static bool read_heads(const LessonReport *report, const char *name, const json_t *value,
                       Lesson *lesson) {
  json_int_t heads = 0;
  if (!read_count(report, name, value, 1, HEADS_MAX, &heads)) return false;
  lesson->shape.query_heads = (size_t)heads;
  return true;
}

static bool read_kv_heads(const LessonReport *report, const char *name, const json_t *value,
                          Lesson *lesson) {
  json_int_t heads = 0;
  if (!read_count(report, name, value, 1, HEADS_MAX, &heads)) return false;
  lesson->shape.kv_heads = (size_t)heads;
  return true;
}

static bool read_round(const LessonReport *report, const char *name, const json_t *value,
                       Lesson *lesson) {
  json_int_t digits = 0;
  if (!read_count(report, name, value, 0, LESSON_ROUND_MAX, &digits)) return false;
  lesson->round = (int)digits;
  return true;
}

static bool read_causal(const LessonReport *report, const char *name, const json_t *value,
                        Lesson *lesson) {
  if (!json_is_boolean(value)) {
    return lesson_refuse(report, "%s is %s; true or false is expected", name,
                         lesson_describe(value).text);
  }
  lesson->causal = json_is_true(value);
  return true;
}

static bool read_scale(const LessonReport *report, const char *name, const json_t *value,
                       Lesson *lesson) {
  const float scale = (float)json_number_value(value);
  if (!json_is_number(value) || !isfinite(scale) || scale == 0) {
    return lesson_refuse(report,
                         "%s is %s; a number other than 0 is expected, or no field for 1/sqrt(D)",
                         name, lesson_describe(value).text);
  }
  lesson->scale = scale;
  return true;
}

static bool read_normalization(const LessonReport *report, const char *name, const json_t *value,
                               Lesson *lesson) {
  const char *const text = json_is_string(value) ? json_string_value(value) : "";
  if (strcmp(text, "softmax") == 0) {
    lesson->normalization = NORMALIZE_SOFTMAX;
  } else if (strcmp(text, "sum") == 0) {
    lesson->normalization = NORMALIZE_SUM;
  } else {
    return lesson_refuse(report, "%s is %s; \"softmax\" or \"sum\" is expected", name,
                         lesson_describe(value).text);
  }
  return true;
}

static bool read_label(const LessonReport *report, size_t index, const json_t *value,
                       LessonLabel *label) {
  const char *const text = json_is_string(value) ? json_string_value(value) : "";
  const size_t length = strlen(text);
  bool printable = length > 0 && length < sizeof label->text;
  for (size_t i = 0; i < length; i++) {
    if (utf8_control_bytes(text + i) > 0) printable = false;
  }
  if (!printable) {
    return lesson_refuse(report,
                         "tokens[%zu] is %s; a string of 1 to %zu bytes on one line is expected",
                         index, lesson_describe(value).text, sizeof label->text - 1);
  }
  memcpy(label->text, text, length + 1);
  return true;
}

/* tokens and mask are read after the shape, which they depend on. */
static bool read_tokens(const LessonReport *report, const json_t *value, Lesson *lesson) {
  const size_t keys = lesson->key_tokens;
  if (!json_is_array(value)) {
    return lesson_refuse(report, "tokens is %s; an array of %zu strings is expected",
                         lesson_describe(value).text, keys);
  }
  if (json_array_size(value) != keys) {
    return lesson_refuse(report,
                         "tokens has %zu element%s; %zu %s expected, one for each row of %s",
                         json_array_size(value), json_array_size(value) == 1 ? "" : "s", keys,
                         keys == 1 ? "is" : "are", lesson_is_layer(lesson) ? "X" : "K");
  }
  lesson->labels = calloc(keys, sizeof *lesson->labels);
  if (lesson->labels == NULL) return lesson_refuse(report, "memory for the tokens is missing");
  for (size_t i = 0; i < keys; i++) {
    if (!read_label(report, i, json_array_get(value, i), &lesson->labels[i])) return false;
  }
  return true;
}

/* true and false may stand for 1 and 0. */
static json_t *numbers_of_mask(const json_t *value) {
  if (!json_is_array(value)) return json_deep_copy(value);
  json_t *const rows = json_deep_copy(value);
  for (size_t r = 0; r < json_array_size(rows); r++) {
    json_t *const row = json_array_get(rows, r);
    for (size_t c = 0; c < json_array_size(row); c++) {
      const json_t *const element = json_array_get(row, c);
      if (json_is_boolean(element)) json_array_set_new(row, c, json_integer(json_is_true(element)));
    }
  }
  return rows;
}

static bool fill_mask(const LessonReport *report, const Matrix *numbers, Lesson *lesson) {
  const size_t rows = lesson->query_tokens, columns = lesson->key_tokens;
  if (numbers->rows != rows || numbers->columns != columns) {
    return lesson_refuse(report, "mask is %zu x %zu; %zu x %zu is expected, queries by keys",
                         numbers->rows, numbers->columns, rows, columns);
  }
  lesson->mask = malloc(rows * columns);
  if (lesson->mask == NULL) return lesson_refuse(report, "memory for the mask is missing");
  for (size_t i = 0; i < rows * columns; i++) {
    const float element = numbers->data[i];
    if (element != 0 && element != 1) {
      return lesson_refuse(report, "mask[%zu][%zu] is %g; 1 (visible) or 0 (hidden) is expected",
                           i / columns, i % columns, (double)element);
    }
    lesson->mask[i] = element != 0;
  }
  return true;
}

static bool read_mask(const LessonReport *report, const json_t *value, Lesson *lesson) {
  json_t *const numbers = numbers_of_mask(value);
  if (numbers == NULL) return lesson_refuse(report, "memory for the mask is missing");
  Matrix matrix;
  const bool read =
      lesson_read_array(report, "mask", numbers, 2, &matrix) && fill_mask(report, &matrix, lesson);
  matrix_free(&matrix);
  json_decref(numbers);
  return read;
}

static const Field fields[] = {
    {"name", read_name},
    {"about", read_about},
    {"heads", read_heads},
    {"kv_heads", read_kv_heads},
    {"causal", read_causal},
    {"scale", read_scale},
    {"normalization", read_normalization},
    {"round", read_round},
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

/* Every name that a file may have: matrices, fields, and the two that need the shape. */
static const char *field_name_at(const void *context, size_t index) {
  (void)context;
  static const char *const late[] = {"tokens", "mask"};
  if (index < LESSON_MATRIX_COUNT) return lesson_matrix_name((LessonMatrix)index);
  index -= LESSON_MATRIX_COUNT;
  if (index < FIELD_COUNT) return fields[index].name;
  index -= FIELD_COUNT;
  return index < sizeof late / sizeof *late ? late[index] : NULL;
}

static bool check_names(const LessonReport *report, json_t *object) {
  const char *name;
  json_t *value;
  json_object_foreach(object, name, value) {
    size_t known = 0;
    while (field_name_at(NULL, known) != NULL && strcmp(field_name_at(NULL, known), name) != 0) {
      known++;
    }
    if (field_name_at(NULL, known) != NULL) continue;
    const char *const nearest = nearest_name(name, field_name_at, NULL);
    if (nearest != NULL) {
      return lesson_refuse(report, "there is no field \"%.40s\"; the nearest one is \"%s\"", name,
                           nearest);
    }
    return lesson_refuse(report,
                         "there is no field \"%.40s\"; the fields are X, W_q, W_k, W_v, W_qkv, "
                         "W_o, b_q, b_k, b_v, b_qkv, b_o, Q, K, V, heads, kv_heads, mask, causal, "
                         "scale, normalization, tokens, round, name and about",
                         name);
  }
  return true;
}

static bool is_vector(LessonMatrix name) {
  return (name >= LESSON_B_Q && name <= LESSON_B_QKV) || name == LESSON_B_O;
}

static bool read_fields(const LessonReport *report, json_t *object, Lesson *lesson) {
  lesson->shape.kv_heads = 0;
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    const json_t *const value = json_object_get(object, fields[i].name);
    if (value != NULL && !fields[i].read(report, fields[i].name, value, lesson)) return false;
  }
  if (lesson->shape.kv_heads == 0) lesson->shape.kv_heads = lesson->shape.query_heads;
  for (int i = 0; i < LESSON_MATRIX_COUNT; i++) {
    const char *const name = lesson_matrix_name((LessonMatrix)i);
    const json_t *const value = json_object_get(object, name);
    if (value != NULL && !lesson_read_array(report, name, value, is_vector((LessonMatrix)i) ? 1 : 2,
                                            &lesson->matrices[i])) {
      return false;
    }
  }
  char error[LESSON_ERROR_SIZE];
  if (!lesson_complete(lesson, error)) return lesson_refuse(report, "%s", error);
  const json_t *const tokens = json_object_get(object, "tokens");
  const json_t *const mask = json_object_get(object, "mask");
  return (tokens == NULL || read_tokens(report, tokens, lesson)) &&
         (mask == NULL || read_mask(report, mask, lesson));
}

bool lesson_file_parse(const char *path, const char *text, size_t length, Lesson *lesson,
                       char *error) {
  const LessonReport report = {path, error};
  json_t *object = NULL;
  lesson_init(lesson);
  error[0] = '\0';
  if (!lesson_parse_text(&report, text, length, &object)) return false;
  const char *const slash = strrchr(path, '/');
  snprintf(lesson->name, sizeof lesson->name, "%.*s", LESSON_TEXT_SIZE - 1,
           slash != NULL ? slash + 1 : path);
  const bool read = check_names(&report, object) && read_fields(&report, object, lesson);
  json_decref(object);
  if (!read) lesson_free(lesson);
  return read;
}

bool lesson_file_read(const char *path, Lesson *lesson, char *error) {
  const LessonReport report = {path, error};
  char *text = NULL;
  size_t length = 0;
  lesson_init(lesson);
  error[0] = '\0';
  if (!lesson_read_text(&report, &text, &length)) return false;
  const bool read = lesson_file_parse(path, text, length, lesson, error);
  free(text);
  return read;
}
