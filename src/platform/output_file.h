/* output_file.h - a file that exists either whole or not at all.
 *
 * It is written under a temporary name in the folder of its target and renamed once all of it has
 * reached the disk. A new file has the permissions 0666 less the umask; one that replaces another
 * has those of the other. Symbolic links stay: what they lead to is written, also where nothing is
 * there yet. A target that exists and is no regular file (a terminal, /dev/null, a pipe) is written
 * to directly.
 *
 * The writers of attend/io.h and the tool share this file. It knows the operating system and
 * nothing of attention, so it stands in platform/, which the tool may use.
 */
#ifndef ATTEND_SRC_PLATFORM_OUTPUT_FILE_H
#define ATTEND_SRC_PLATFORM_OUTPUT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct OutputFile {
  FILE *stream;             /* for writing; its descriptor can also read a regular file */
  int error;                /* errno of the output_file_write() that failed first, or 0 */
  char path[PATH_MAX];      /* of the target, links followed */
  char temporary[PATH_MAX]; /* "" if the target is written to directly */
} OutputFile;

/* Opens the file and shows nothing of it at the path. False with errno set, and *file zero, if the
 * path cannot be written: EISDIR for a folder, ENXIO for a pipe that nobody reads. Never waits. */
bool output_file_open(OutputFile *file, const char *path);

/* Writes bytes behind those before. The caller need not check: output_file_commit() knows. */
void output_file_write(OutputFile *file, const void *data, size_t bytes);

/* Puts the file in its place and makes *file zero. False with errno set if not all could be
 * written; what was at the path before is then still there, and no trace of the new file. */
bool output_file_commit(OutputFile *file);

/* Leaves no trace of a file that was opened and not committed. Allowed on a zero struct. */
void output_file_discard(OutputFile *file);

#endif
