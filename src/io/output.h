/* output.h - a file of the library's that appears complete or not at all.
 *
 * It is written under a temporary name in the target's directory and renamed once all of it has
 * reached the disk. A target that exists and is no regular file (/dev/null, a terminal, a pipe with
 * a reader) is written to directly. All writers of attend/io.h use this.
 */
#ifndef ATTEND_SRC_IO_OUTPUT_H
#define ATTEND_SRC_IO_OUTPUT_H

#include <stdio.h>

#include "io/file.h"

typedef struct Output {
  FILE *stream;
  int error; /* errno of the write that failed first, or 0 */
  char *target;
  char *temporary; /* null if the target is written to directly */
} Output;

/* Opens the file at report->path for writing. On failure *output is zero. */
AttendStatus output_open(const FileReport *report, Output *output);

/* Writes bytes behind those before. The caller need not check: output_commit() knows. */
void output_write(Output *output, const void *data, size_t bytes);

/* Puts the file in its place if all was written. On failure what was at the path before is still
 * there, and no trace of the new file. *output is zero afterwards. */
AttendStatus output_commit(const FileReport *report, Output *output);

#endif
