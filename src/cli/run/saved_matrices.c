/* saved_matrices.c - writes every matrix that a tap is shown.
 *
 * A tap cannot fail: the first error is kept, and nothing is written after it.
 */
#include "cli/run/saved_matrices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool saved_matrices_open(SavedMatrices *saved, const char *directory) {
  struct stat facts;
  *saved = (SavedMatrices){.directory = directory};
  if (mkdir(directory, 0777) == 0) return true;
  const int error = errno;
  if (error == EEXIST && stat(directory, &facts) == 0 && S_ISDIR(facts.st_mode)) return true;
  saved->status = ATTEND_STATUS_FILE_UNWRITABLE;
  snprintf(saved->error, sizeof saved->error, "%s: the directory cannot be made: %s", directory,
           strerror(error));
  return false;
}

/* The rows side by side; null if memory is short. */
static float *copy_rows(const AttendMatrix *matrix) {
  const size_t count = matrix->rows * matrix->columns;
  float *const dense = malloc(count > 0 ? count * sizeof *dense : 1);
  for (size_t r = 0; dense != NULL && matrix->columns > 0 && r < matrix->rows; r++) {
    memcpy(dense + r * matrix->columns, matrix->data + r * matrix->row_stride,
           matrix->columns * sizeof *dense);
  }
  return dense;
}

static bool has_heads(const char *name) {
  return strcmp(name, "concat") != 0 && strcmp(name, "output") != 0;
}

static AttendStatus write_matrix(SavedMatrices *saved, const AttendMatrix *matrix) {
  const size_t dims[] = {matrix->rows, matrix->columns};
  char head[32] = "", *path = NULL;
  if (has_heads(matrix->name)) snprintf(head, sizeof head, "-h%zu", matrix->head);
  float *const dense = copy_rows(matrix);
  AttendStatus status = ATTEND_STATUS_OUT_OF_MEMORY;
  if (dense == NULL || asprintf(&path, "%s/%s-b%zu%s.npy", saved->directory, matrix->name,
                                matrix->batch, head) < 0) {
    path = NULL;
    snprintf(saved->error, sizeof saved->error, "%s: memory for a matrix is missing",
             saved->directory);
  } else {
    status = attend_write_npy(path, dense, dims, 2, saved->error, sizeof saved->error);
  }
  free(path);
  free(dense);
  return status;
}

void saved_matrices_tap(void *user, const AttendMatrix *matrix) {
  SavedMatrices *const saved = user;
  if (saved->status != ATTEND_OK || matrix->rows == 0) return;
  saved->status = write_matrix(saved, matrix);
}
