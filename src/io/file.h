/* file.h - reads files that nobody vouches for.
 *
 * Every reader of the library goes through these calls. They read regular files only, and use one
 * descriptor from the check of kind and size to the last byte: nobody can swap the file in between.
 * fault->place is the path of the file, so that every sentence begins with it.
 */
#ifndef ATTEND_SRC_IO_FILE_H
#define ATTEND_SRC_IO_FILE_H

#include "attend/io.h"
#include "fault.h"
#include "io/widen.h"

/* Refuses a file that output_file.h could not write, for the reason in errno. */
AttendStatus file_unwritable(Fault *fault);

/* The two arguments of "%.*s" for a name out of a file. They show the beginning of a long one, cut
 * between characters. */
#define FILE_SHOWN(name) file_shown_length(name), (name)
int file_shown_length(const char *name);

/* Formats into new memory, which the caller frees. Returns null if memory is short. */
__attribute__((format(printf, 1, 2))) char *file_text(const char *format, ...);

/* A file that is open for reading. The caller closes the descriptor. */
typedef struct OpenFile {
  int descriptor;
  size_t bytes; /* when it was opened */
} OpenFile;

/* Opens a regular file and refuses everything else. Never waits, not for the writer of a named pipe
 * either. */
AttendStatus file_open(const char *path, OpenFile *file, Fault *fault);

/* Reads `bytes` bytes from `offset` on. Refuses a file that has become too short for that. */
AttendStatus file_read_at(const OpenFile *file, size_t offset, void *to, size_t bytes,
                          Fault *fault);

/* Reads `count` numbers of that kind from byte `offset` on and converts them to fp32. */
AttendStatus file_read_floats(const OpenFile *file, size_t offset, NumberKind kind, size_t count,
                              float *to, Fault *fault);

#endif
