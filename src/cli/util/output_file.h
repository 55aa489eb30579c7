/* output_file.h - a file that exists either whole or not at all.
 *
 * It is written under a temporary name in the same directory and renamed when it is complete. It is
 * opened before the measurement, so that a path that cannot be written is known before minutes are
 * spent. What is there already and is no regular file (a terminal, /dev/null, a pipe) is written to
 * directly.
 */
#ifndef BENCH_OUTPUT_FILE_H
#define BENCH_OUTPUT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct OutputFile {
  FILE *stream;
  char path[PATH_MAX];
  char temporary[PATH_MAX]; /* "" if the path is written to directly */
} OutputFile;

/* False with errno set, and *file zero, if the path cannot be written. */
bool output_file_open(OutputFile *file, const char *path);

/* Puts the file in its place. False with errno set if not all could be written; what was at the
 * path before is then still there. */
bool output_file_commit(OutputFile *file);

/* Leaves no trace of a file that was opened and not committed. Allowed on a zero struct. */
void output_file_discard(OutputFile *file);

#endif
