/* file.c - opens and reads regular files.
 *
 * Sizes come from the open descriptor and never from the file's contents. Nothing here knows a
 * format.
 */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "size.h"

/* Bytes of a long name in a file that are shown: its beginning. */
#define MAX_SHOWN_NAME 80

/* The buffer between file and fp32 stays in the second-level cache. */
#define PIECE_BYTES (128 * 1024)

AttendStatus file_unwritable(Fault *fault) {
  return fault_set(fault,
                   errno == ENOMEM ? ATTEND_STATUS_OUT_OF_MEMORY : ATTEND_STATUS_FILE_UNWRITABLE,
                   "the file cannot be written: %m");
}

int file_shown_length(const char *name) {
  size_t length = strnlen(name, MAX_SHOWN_NAME);
  while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80) length--;
  return (int)length;
}

char *file_text(const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  const int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  char *const text = length < 0 ? NULL : malloc((size_t)length + 1);
  if (text != NULL) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

/* Without O_NONBLOCK the call would wait for the writer of a named pipe before it could refuse it.
 * On a regular file the flag changes nothing. */
AttendStatus file_open(const char *path, OpenFile *file, Fault *fault) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    return fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be opened: %m");
  }

  AttendStatus status = ATTEND_OK;
  struct stat facts;
  if (fstat(descriptor, &facts) != 0) {
    status = fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be examined: %m");
  } else if (!S_ISREG(facts.st_mode)) {
    status =
        fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE, "this is %s; a regular file is expected",
                  S_ISDIR(facts.st_mode) ? "a directory" : "a device, pipe or socket");
  } else if (facts.st_size < 0 || (uintmax_t)facts.st_size > SIZE_LIMIT) {
    status = fault_set(fault, ATTEND_STATUS_OVERFLOW,
                       "the file has %lld bytes; at most %zu can be addressed",
                       (long long)facts.st_size, SIZE_LIMIT);
  }

  if (status != ATTEND_OK) {
    close(descriptor);
    return status;
  }
  *file = (OpenFile){descriptor, (size_t)facts.st_size};
  return ATTEND_OK;
}

AttendStatus file_read_at(const OpenFile *file, size_t offset, void *to, size_t bytes,
                          Fault *fault) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got =
        pread(file->descriptor, (char *)to + done, bytes - done, (off_t)(offset + done));
    if (got > 0) {
      done += (size_t)got;
    } else if (got == 0) {
      return fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE,
                       "the file ends at byte %zu; it had %zu bytes when it was opened",
                       offset + done, file->bytes);
    } else if (errno != EINTR) {
      return fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be read: %m");
    }
  }
  return ATTEND_OK;
}

AttendStatus file_read_floats(const OpenFile *file, size_t offset, NumberKind kind, size_t count,
                              float *to, Fault *fault) {
  if (kind == NUMBER_F32) return file_read_at(file, offset, to, count * sizeof *to, fault);
  const size_t each = widen_bytes(kind);
  char *const piece = malloc(PIECE_BYTES);
  if (piece == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "%d bytes could not be allocated",
                     PIECE_BYTES);
  }
  AttendStatus status = ATTEND_OK;
  for (size_t done = 0; done < count && status == ATTEND_OK;) {
    const size_t numbers = size_min(count - done, PIECE_BYTES / each);
    status = file_read_at(file, offset + done * each, piece, numbers * each, fault);
    if (status == ATTEND_OK) widen_numbers(kind, piece, numbers, to + done);
    done += numbers;
  }
  free(piece);
  return status;
}
