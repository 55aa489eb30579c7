/* npy_tool.c - what shell tests need to do with .npy files.
 *
 *   npy_tool slice IN FIRST COUNT OUT   OUT is rows FIRST .. FIRST + COUNT of IN, a matrix
 *   npy_tool close GOT EXPECTED FIRST   GOT is rows FIRST .. of EXPECTED, within 1e-5 + 5e-6 |x|
 *
 * The exit status is 0 if that holds, else 1 after one sentence, and 2 for wrong usage.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attend/io.h"

static AttendArray read_matrix(const char *path) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendArray array;
  if (attend_read_npy(path, &array, error, sizeof error) != ATTEND_OK) {
    fprintf(stderr, "%s\n", error);
    exit(1);
  }
  if (array.rank != 2) {
    fprintf(stderr, "%s is no matrix\n", path);
    exit(1);
  }
  return array;
}

static int slice(const char *from, size_t first, size_t count, const char *to) {
  char error[ATTEND_FILE_ERROR_SIZE] = "";
  AttendArray array = read_matrix(from);
  const size_t dims[] = {count, array.dims[1]};
  if (first + count > array.dims[0]) {
    fprintf(stderr, "%s has %zu rows\n", from, array.dims[0]);
    return 1;
  }
  const AttendStatus status =
      attend_write_npy(to, array.data + first * dims[1], dims, 2, error, sizeof error);
  if (status != ATTEND_OK) fprintf(stderr, "%s\n", error);
  attend_free_array(&array);
  return status != ATTEND_OK;
}

static int compare(const char *got_path, const char *expected_path, size_t first) {
  AttendArray got = read_matrix(got_path), expected = read_matrix(expected_path);
  int status = 0;
  if (got.dims[1] != expected.dims[1] || first + got.dims[0] > expected.dims[0]) {
    fprintf(stderr, "%s and %s have other shapes\n", got_path, expected_path);
    status = 1;
  }
  const float *const other = expected.data + first * expected.dims[1];
  for (size_t i = 0; status == 0 && i < got.dims[0] * got.dims[1]; i++) {
    const double x = (double)got.data[i], y = (double)other[i];
    if (fabs(x - y) <= 1e-5 + 5e-6 * fabs(y)) continue;
    fprintf(stderr, "%s: element %zu is %g; %g is expected\n", got_path, i, x, y);
    status = 1;
  }
  attend_free_array(&got);
  attend_free_array(&expected);
  return status;
}

int main(int argc, char **argv) {
  if (argc == 6 && strcmp(argv[1], "slice") == 0) {
    return slice(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), argv[5]);
  }
  if (argc == 5 && strcmp(argv[1], "close") == 0) {
    return compare(argv[2], argv[3], strtoul(argv[4], NULL, 10));
  }
  fprintf(stderr, "usage: npy_tool slice IN FIRST COUNT OUT | close GOT EXPECTED FIRST\n");
  return 2;
}
