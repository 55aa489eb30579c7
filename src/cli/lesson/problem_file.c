/* problem_file.c - the fields of a problem file, and the problem that they make.
 *
 * Owns the names of the fields and their defaults. A field that is not known is refused: a misspelt
 * "causal" that is skipped would show a student the wrong matrix.
 */
#include "cli/lesson/problem_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lesson/problem_parts.h"
#include "cli/options.h"
#include "cli/util/utf8.h"

#define HEADS_MAX 65536

/* Fields that are no matrices. Each reader gets the field's name for its sentence. */
typedef struct Field {
  const char *name;
  bool (*read)(const ProblemReport *report, const char *name, const json_t *value,
               GivenProblem *problem);
} Field;

static bool read_text(const ProblemReport *report, const char *name, const json_t *value,
                      char text[GIVEN_TEXT_SIZE]) {
  if (!json_is_string(value)) {
    return problem_refuse(report, "%s is %s; a string is expected", name,
                          problem_describe(value).text);
  }
  const char *const string = json_string_value(value);
  if (strlen(string) >= GIVEN_TEXT_SIZE) {
    return problem_refuse(report, "%s has %zu bytes; at most %d are expected", name, strlen(string),
                          GIVEN_TEXT_SIZE - 1);
  }
  for (size_t i = 0; string[i] != '\0'; i++) {
    if (utf8_control_bytes(string + i) > 0) {
      return problem_refuse(report, "%s holds a control character; one line of text is expected",
                            name);
    }
  }
  snprintf(text, GIVEN_TEXT_SIZE, "%s", string);
  return true;
}

static bool read_name(const ProblemReport *report, const char *name, const json_t *value,
                      GivenProblem *problem) {
  return read_text(report, name, value, problem->name);
}

static bool read_about(const ProblemReport *report, const char *name, const json_t *value,
                       GivenProblem *problem) {
  return read_text(report, name, value, problem->about);
}

static bool read_count(const ProblemReport *report, const char *name, const json_t *value,
                       json_int_t least, json_int_t most, json_int_t *count) {
  if (!json_is_integer(value) || json_integer_value(value) < least ||
      json_integer_value(value) > most) {
    return problem_refuse(report,
                          "%s is %s; a whole number from %" JSON_INTEGER_FORMAT
                          " to %" JSON_INTEGER_FORMAT " is expected",
                          name, problem_describe(value).text, least, most);
  }
  *count = json_integer_value(value);
  return true;
}

static bool read_heads(const ProblemReport *report, const char *name, const json_t *value,
                       GivenProblem *problem) {
  json_int_t heads = 0;
  if (!read_count(report, name, value, 1, HEADS_MAX, &heads)) return false;
  problem->shape.query_heads = (size_t)heads;
  return true;
}

static bool read_kv_heads(const ProblemReport *report, const char *name, const json_t *value,
                          GivenProblem *problem) {
  json_int_t heads = 0;
  if (!read_count(report, name, value, 1, HEADS_MAX, &heads)) return false;
  problem->shape.kv_heads = (size_t)heads;
  return true;
}

static bool read_round(const ProblemReport *report, const char *name, const json_t *value,
                       GivenProblem *problem) {
  json_int_t digits = 0;
  if (!read_count(report, name, value, 0, GIVEN_ROUND_MAX, &digits)) return false;
  problem->round = (int)digits;
  return true;
}

static bool read_causal(const ProblemReport *report, const char *name, const json_t *value,
                        GivenProblem *problem) {
  if (!json_is_boolean(value)) {
    return problem_refuse(report, "%s is %s; true or false is expected", name,
                          problem_describe(value).text);
  }
  problem->causal = json_is_true(value);
  return true;
}

static bool read_scale(const ProblemReport *report, const char *name, const json_t *value,
                       GivenProblem *problem) {
  const float scale = (float)json_number_value(value);
  if (!json_is_number(value) || !isfinite(scale) || scale == 0) {
    return problem_refuse(report,
                          "%s is %s; a number other than 0 is expected, or no field for 1/sqrt(D)",
                          name, problem_describe(value).text);
  }
  problem->scale = scale;
  return true;
}

static bool read_normalization(const ProblemReport *report, const char *name, const json_t *value,
                               GivenProblem *problem) {
  const char *const text = json_is_string(value) ? json_string_value(value) : "";
  if (strcmp(text, "softmax") == 0) {
    problem->normalization = ATTEND_NORMALIZE_SOFTMAX;
  } else if (strcmp(text, "sum") == 0) {
    problem->normalization = ATTEND_NORMALIZE_SUM;
  } else {
    return problem_refuse(report, "%s is %s; \"softmax\" or \"sum\" is expected", name,
                          problem_describe(value).text);
  }
  return true;
}

static bool read_label(const ProblemReport *report, size_t index, const json_t *value,
                       GivenLabel *label) {
  const char *const text = json_is_string(value) ? json_string_value(value) : "";
  const size_t length = strlen(text);
  bool printable = length > 0 && length < sizeof label->text;
  for (size_t i = 0; i < length; i++) {
    if (utf8_control_bytes(text + i) > 0) printable = false;
  }
  if (!printable) {
    return problem_refuse(report,
                          "tokens[%zu] is %s; a string of 1 to %zu bytes on one line is expected",
                          index, problem_describe(value).text, sizeof label->text - 1);
  }
  memcpy(label->text, text, length + 1);
  return true;
}

/* tokens and mask need the shape and come after it. */
static bool read_tokens(const ProblemReport *report, const json_t *value, GivenProblem *problem) {
  const size_t keys = problem->key_tokens;
  if (!json_is_array(value)) {
    return problem_refuse(report, "tokens is %s; an array of %zu strings is expected",
                          problem_describe(value).text, keys);
  }
  if (json_array_size(value) != keys) {
    return problem_refuse(report,
                          "tokens has %zu element%s; %zu %s expected, one for each row of %s",
                          json_array_size(value), json_array_size(value) == 1 ? "" : "s", keys,
                          keys == 1 ? "is" : "are", given_is_layer(problem) ? "X" : "K");
  }
  problem->labels = calloc(keys, sizeof *problem->labels);
  if (problem->labels == NULL) return problem_refuse(report, "memory for the tokens is missing");
  for (size_t i = 0; i < keys; i++) {
    if (!read_label(report, i, json_array_get(value, i), &problem->labels[i])) return false;
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

static bool fill_mask(const ProblemReport *report, const Matrix *numbers, GivenProblem *problem) {
  const size_t rows = problem->query_tokens, columns = problem->key_tokens;
  if (numbers->rows != rows || numbers->columns != columns) {
    return problem_refuse(report, "mask is %zu x %zu; %zu x %zu is expected, queries by keys",
                          numbers->rows, numbers->columns, rows, columns);
  }
  problem->mask = malloc(rows * columns);
  if (problem->mask == NULL) return problem_refuse(report, "memory for the mask is missing");
  for (size_t i = 0; i < rows * columns; i++) {
    const float element = numbers->data[i];
    if (element != 0 && element != 1) {
      return problem_refuse(report, "mask[%zu][%zu] is %g; 1 (visible) or 0 (hidden) is expected",
                            i / columns, i % columns, (double)element);
    }
    problem->mask[i] = element != 0;
  }
  return true;
}

static bool read_mask(const ProblemReport *report, const json_t *value, GivenProblem *problem) {
  json_t *const numbers = numbers_of_mask(value);
  if (numbers == NULL) return problem_refuse(report, "memory for the mask is missing");
  Matrix matrix;
  const bool read = problem_read_array(report, "mask", numbers, 2, &matrix) &&
                    fill_mask(report, &matrix, problem);
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
  if (index < GIVEN_COUNT) return given_name((GivenName)index);
  index -= GIVEN_COUNT;
  if (index < FIELD_COUNT) return fields[index].name;
  index -= FIELD_COUNT;
  return index < sizeof late / sizeof *late ? late[index] : NULL;
}

static bool check_names(const ProblemReport *report, json_t *object) {
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
      return problem_refuse(report, "there is no field \"%.40s\"; the nearest one is \"%s\"", name,
                            nearest);
    }
    return problem_refuse(report,
                          "there is no field \"%.40s\"; the fields are X, W_q, W_k, W_v, W_qkv, "
                          "W_o, b_q, b_k, b_v, b_qkv, b_o, Q, K, V, heads, kv_heads, mask, causal, "
                          "scale, normalization, tokens, round, name and about",
                          name);
  }
  return true;
}

static bool is_vector(GivenName name) {
  return (name >= GIVEN_B_Q && name <= GIVEN_B_QKV) || name == GIVEN_B_O;
}

static bool read_fields(const ProblemReport *report, json_t *object, GivenProblem *problem) {
  problem->shape.kv_heads = 0;
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    const json_t *const value = json_object_get(object, fields[i].name);
    if (value != NULL && !fields[i].read(report, fields[i].name, value, problem)) return false;
  }
  if (problem->shape.kv_heads == 0) problem->shape.kv_heads = problem->shape.query_heads;
  for (int i = 0; i < GIVEN_COUNT; i++) {
    const char *const name = given_name((GivenName)i);
    const json_t *const value = json_object_get(object, name);
    if (value != NULL && !problem_read_array(report, name, value, is_vector((GivenName)i) ? 1 : 2,
                                             &problem->matrices[i])) {
      return false;
    }
  }
  char error[GIVEN_ERROR_SIZE];
  if (!given_complete(problem, error)) return problem_refuse(report, "%s", error);
  const json_t *const tokens = json_object_get(object, "tokens");
  const json_t *const mask = json_object_get(object, "mask");
  return (tokens == NULL || read_tokens(report, tokens, problem)) &&
         (mask == NULL || read_mask(report, mask, problem));
}

bool problem_file_parse(const char *path, const char *text, size_t length, GivenProblem *problem,
                        char *error) {
  const ProblemReport report = {path, error};
  json_t *object = NULL;
  given_init(problem);
  error[0] = '\0';
  if (!problem_parse_text(&report, text, length, &object)) return false;
  const char *const slash = strrchr(path, '/');
  snprintf(problem->name, sizeof problem->name, "%.*s", GIVEN_TEXT_SIZE - 1,
           slash != NULL ? slash + 1 : path);
  const bool read = check_names(&report, object) && read_fields(&report, object, problem);
  json_decref(object);
  if (!read) given_free(problem);
  return read;
}

bool problem_file_read(const char *path, GivenProblem *problem, char *error) {
  const ProblemReport report = {path, error};
  char *text = NULL;
  size_t length = 0;
  given_init(problem);
  error[0] = '\0';
  if (!problem_read_text(&report, &text, &length)) return false;
  const bool read = problem_file_parse(path, text, length, problem, error);
  free(text);
  return read;
}
