/* trace_save.c - names the files. attend_write_npy() writes each whole or not at all. */
#include "cli/explain/trace_save.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "attend/io.h"

static bool make_directory(const char *directory, char *error) {
  struct stat facts;
  if (mkdir(directory, 0777) == 0) return true;
  const int reason = errno;
  if (reason == EEXIST && stat(directory, &facts) == 0 && S_ISDIR(facts.st_mode)) return true;
  snprintf(error, LESSON_ERROR_SIZE, "the directory %.256s cannot be made: %s", directory,
           strerror(reason == EEXIST ? ENOTDIR : reason));
  return false;
}

static bool save(const char *directory, const char *name, const Matrix *matrix, bool vector,
                 size_t *files, char *error) {
  char path[PATH_MAX];
  const int length = snprintf(path, sizeof path, "%s/%s.npy", directory, name);
  if (length < 0 || (size_t)length >= sizeof path) {
    snprintf(error, LESSON_ERROR_SIZE, "the name of the directory is too long");
    return false;
  }
  const size_t dims[] = {matrix->rows, matrix->columns};
  const AttendStatus status = attend_write_npy(path, matrix->data, vector ? dims + 1 : dims,
                                               vector ? 1 : 2, error, LESSON_ERROR_SIZE);
  if (status == ATTEND_OK) ++*files;
  return status == ATTEND_OK;
}

static bool save_given(const char *directory, const Lesson *lesson, size_t *files, char *error) {
  for (int i = 0; i < LESSON_MATRIX_COUNT; i++) {
    const char *const name = lesson_matrix_name((LessonMatrix)i);
    const Matrix *const matrix = &lesson->matrices[i];
    if (matrix->data != NULL && !save(directory, name, matrix, name[0] == 'b', files, error)) {
      return false;
    }
  }
  return true;
}

bool trace_save(const char *directory, const Lesson *lesson, const Trace *trace, size_t *files,
                char *error) {
  *files = 0;
  if (!make_directory(directory, error) || !save_given(directory, lesson, files, error)) {
    return false;
  }
  const bool several = lesson->shape.query_heads > 1;
  for (size_t i = 0; i < trace->count; i++) {
    const TraceMatrix *const item = &trace->items[i];
    char name[TRACE_NAME_SIZE + 24];
    if (item->of_head && several) {
      snprintf(name, sizeof name, "%s_%zu", item->name, item->head);
    } else {
      snprintf(name, sizeof name, "%s", item->name);
    }
    if (!save(directory, name, &item->matrix, false, files, error)) return false;
  }
  return true;
}
