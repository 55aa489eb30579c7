/* input_file.h - a file of another program, of known size, read from its beginning.
 *
 * Only regular files are taken: anything else has no size to check the contents against. They are
 * read, not mapped, so that one that shrinks meanwhile is an error and not a signal.
 */
#ifndef TOY_INPUT_FILE_H
#define TOY_INPUT_FILE_H

#include <stddef.h>

#include "complaint.h"

typedef struct InputFile {
  const char *path;
  int descriptor;
  size_t bytes;
} InputFile;

bool input_open(InputFile *file, const char *path, Complaint *complaint);

/* Reads the next `bytes` bytes, all of them or the call fails. */
bool input_read(InputFile *file, void *to, size_t bytes, Complaint *complaint);

void input_close(InputFile *file);

#endif
