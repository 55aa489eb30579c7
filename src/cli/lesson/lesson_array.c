/* lesson_array.c - one matrix or vector of a lesson file: numbers in brackets, or a .npy file.
 *
 * Owns the sentences on ragged rows, on elements that are not finite numbers, and on arrays of the
 * wrong rank. A sentence names an element as a program would: X[1][0].
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attend/io.h"
#include "cli/lesson/lesson_reader.h"

/* Where an element stands: "X[1][0]", or "b_q[0]". */
typedef struct Place {
  char text[64];
} Place;

static Place place_of(const char *field, size_t rank, size_t row, size_t column) {
  Place place;
  if (rank == 2) {
    snprintf(place.text, sizeof place.text, "%s[%zu][%zu]", field, row, column);
  } else {
    snprintf(place.text, sizeof place.text, "%s[%zu]", field, column);
  }
  return place;
}

static bool read_element(const LessonReport *report, const char *field, size_t rank, size_t row,
                         size_t column, const json_t *value, float *element) {
  if (!json_is_number(value)) {
    return lesson_refuse(report, "%s is %s; a number is expected",
                         place_of(field, rank, row, column).text, lesson_describe(value).text);
  }
  *element = (float)json_number_value(value);
  if (!isfinite(*element)) {
    return lesson_refuse(report, "%s is %s; a number of at most 3.4e38 is expected",
                         place_of(field, rank, row, column).text, lesson_describe(value).text);
  }
  return true;
}

static bool read_row(const LessonReport *report, const char *field, size_t rank, size_t row,
                     const json_t *values, float *elements) {
  for (size_t c = 0; c < json_array_size(values); c++) {
    if (!read_element(report, field, rank, row, c, json_array_get(values, c), &elements[c])) {
      return false;
    }
  }
  return true;
}

/* Every row is an array, and as long as the first. */
static bool check_rows(const LessonReport *report, const char *field, const json_t *rows) {
  const size_t columns = json_array_size(json_array_get(rows, 0));
  for (size_t r = 0; r < json_array_size(rows); r++) {
    const json_t *const row = json_array_get(rows, r);
    if (!json_is_array(row)) {
      return lesson_refuse(report, "%s[%zu] is %s; an array of numbers, a row, is expected", field,
                           r, lesson_describe(row).text);
    }
    if (json_array_size(row) == 0) {
      return lesson_refuse(report, "%s[%zu] is empty; a row of numbers is expected", field, r);
    }
    if (json_array_size(row) != columns) {
      return lesson_refuse(report, "%s[%zu] has %zu element%s; %zu %s expected, as in %s[0]", field,
                           r, json_array_size(row), json_array_size(row) == 1 ? "" : "s", columns,
                           columns == 1 ? "is" : "are", field);
    }
  }
  return true;
}

static bool allocate(const LessonReport *report, const char *field, size_t rows, size_t columns,
                     Matrix *matrix) {
  if (matrix_new(rows, columns, matrix)) return true;
  return lesson_refuse(report, "%s: there is no memory for %zu x %zu elements", field, rows,
                       columns);
}

static bool read_inline(const LessonReport *report, const char *field, const json_t *value,
                        size_t rank, Matrix *matrix) {
  if (json_array_size(value) == 0) {
    return lesson_refuse(report, "%s is empty; %s is expected", field,
                         rank == 2 ? "an array of rows" : "an array of numbers");
  }
  if (rank == 1) {
    return allocate(report, field, 1, json_array_size(value), matrix) &&
           read_row(report, field, rank, 0, value, matrix->data);
  }
  if (!check_rows(report, field, value)) return false;
  const size_t columns = json_array_size(json_array_get(value, 0));
  if (!allocate(report, field, json_array_size(value), columns, matrix)) return false;
  for (size_t r = 0; r < matrix->rows; r++) {
    if (!read_row(report, field, rank, r, json_array_get(value, r), matrix->data + r * columns)) {
      return false;
    }
  }
  return true;
}

/* A name in the file is relative to the file's own directory. */
static bool find_file(const LessonReport *report, const char *field, const char *name, char *path,
                      size_t size) {
  const char *const slash = name[0] == '/' ? NULL : strrchr(report->path, '/');
  const size_t directory = slash != NULL ? (size_t)(slash - report->path) + 1 : 0;
  const int length = snprintf(path, size, "%.*s%s", (int)directory, report->path, name);
  if (length >= 0 && (size_t)length < size) return true;
  return lesson_refuse(report, "%s names a file by more than %zu bytes", field, size - 1);
}

static bool check_array(const LessonReport *report, const char *field, const char *file,
                        size_t rank, const AttendArray *array) {
  if (array->rank != rank) {
    return lesson_refuse(report, "%s: %s holds an array of %zu dimension%s; %zu %s expected", field,
                         file, array->rank, array->rank == 1 ? "" : "s", rank,
                         rank == 1 ? "is" : "are");
  }
  const size_t rows = rank == 2 ? array->dims[0] : 1, columns = array->dims[rank - 1];
  if (rows == 0 || columns == 0) {
    return lesson_refuse(report, "%s: %s holds no elements", field, file);
  }
  for (size_t i = 0; i < rows * columns; i++) {
    if (!isfinite(array->data[i])) {
      return lesson_refuse(report, "%s is %g in %s; a finite number is expected",
                           place_of(field, rank, i / columns, i % columns).text,
                           (double)array->data[i], file);
    }
  }
  return true;
}

static bool read_npy(const LessonReport *report, const char *field, const char *name, size_t rank,
                     Matrix *matrix) {
  char path[1024], error[ATTEND_FILE_ERROR_SIZE];
  if (!find_file(report, field, name, path, sizeof path)) return false;
  AttendArray array = {0};
  if (attend_read_npy(path, &array, error, sizeof error) != ATTEND_OK) {
    return lesson_refuse(report, "%s: %s", field, error);
  }
  bool read = check_array(report, field, name, rank, &array);
  if (read) {
    const size_t rows = rank == 2 ? array.dims[0] : 1, columns = array.dims[rank - 1];
    read = allocate(report, field, rows, columns, matrix);
    if (read) memcpy(matrix->data, array.data, rows * columns * sizeof *matrix->data);
  }
  attend_free_array(&array);
  return read;
}

bool lesson_read_array(const LessonReport *report, const char *field, const json_t *value,
                       size_t rank, Matrix *matrix) {
  *matrix = (Matrix){0};
  bool read = false;
  if (json_is_string(value)) {
    read = read_npy(report, field, json_string_value(value), rank, matrix);
  } else if (json_is_array(value)) {
    read = read_inline(report, field, value, rank, matrix);
  } else {
    lesson_refuse(report, "%s is %s; %s or the name of a .npy file is expected", field,
                  lesson_describe(value).text,
                  rank == 2 ? "an array of rows" : "an array of numbers");
  }
  if (!read) matrix_free(matrix);
  return read;
}
