/* fuzz_file.h - the bytes of one run as a file that a reader can open.
 *
 * Included by one fuzz target each. The file lives in memory and has a path under /proc: readers
 * open it as they open any regular file.
 */
#ifndef ATTEND_TESTS_FUZZ_FUZZ_FILE_H
#define ATTEND_TESTS_FUZZ_FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attend/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run as a finding unless the statement is true. */
#define require(statement)                                                                         \
  do {                                                                                             \
    if (!(statement)) {                                                                            \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #statement);                \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* Puts the bytes into the file in place of the last run's. */
static inline void fuzz_fill(int file, const uint8_t *data, size_t size) {
  require(ftruncate(file, 0) == 0);
  require(pwrite(file, data, size, 0) == (ssize_t)size);
}

/* The path of a file with these bytes, valid until the next call. */
static inline const char *fuzz_path(const uint8_t *data, size_t size) {
  static int file = -1;
  static char path[64];
  if (file < 0) {
    file = memfd_create("fuzz", MFD_CLOEXEC);
    require(file >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  fuzz_fill(file, data, size);
  return path;
}

/* A refusal must have its sentence, a success none. */
static inline void fuzz_judge(AttendStatus status, const char *error) {
  require((status == ATTEND_OK) == (error[0] == '\0'));
  for (const char *c = error; *c != '\0'; c++) require((unsigned char)*c >= 0x20);
}

#endif
