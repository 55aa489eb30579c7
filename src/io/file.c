/* file.c - opens and reads regular files, and writes the sentence of a refusal.
 *
 * Sizes come from the open descriptor and never from the file's contents. A sentence is one line
 * that fits ATTEND_FILE_ERROR_SIZE: of a long path its end is shown, and control characters, which
 * path and file may hold, become question marks.
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

/* What is shown of a long path (its end), so that any sentence fits ATTEND_FILE_ERROR_SIZE. */
#define MAX_SHOWN_PATH 192
/* And of a long name in a file (its beginning). */
#define MAX_SHOWN_NAME 80

/* Numbers that are widened pass through a buffer that stays in the second-level cache. */
#define PIECE_BYTES (128 * 1024)

FileReport file_report(const char *path, const char *otherwise, char *error, size_t error_size) {
  const FileReport report = {path == NULL ? otherwise : path, error,
                             error == NULL ? 0 : error_size};
  if (report.error_size > 0) error[0] = '\0';
  return report;
}

AttendStatus file_refuse(const FileReport *report, AttendStatus status, const char *format, ...) {
  if (report->error_size == 0) return status;

  const size_t path_length = strlen(report->path);
  const size_t hidden = path_length > MAX_SHOWN_PATH ? path_length - MAX_SHOWN_PATH : 0;
  char sentence[ATTEND_FILE_ERROR_SIZE];
  const int head =
      snprintf(sentence, sizeof sentence, "%s%s: ", hidden > 0 ? "..." : "", report->path + hidden);
  if (head < 0) return status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence + head, sizeof sentence - (size_t)head, format, arguments);
  va_end(arguments);

  const size_t length = strnlen(sentence, sizeof sentence - 1);
  const size_t copied = length < report->error_size ? length : report->error_size - 1;
  for (size_t i = 0; i < length; i++) memset(sentence + i, '?', file_control_bytes(sentence + i));
  memcpy(report->error, sentence, copied);
  report->error[copied] = '\0';
  return status;
}

AttendStatus file_refuse_writing(const FileReport *report) {
  return file_refuse(report,
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

/* O_NONBLOCK keeps a named pipe without a writer from holding the call up before it can be
 * refused; on a regular file it changes nothing. */
AttendStatus file_open(const FileReport *report, OpenFile *file) {
  const int descriptor = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    return file_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be opened: %m");
  }

  AttendStatus status = ATTEND_OK;
  struct stat facts;
  if (fstat(descriptor, &facts) != 0) {
    status = file_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be examined: %m");
  } else if (!S_ISREG(facts.st_mode)) {
    status =
        file_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "this is %s; a regular file is expected",
                    S_ISDIR(facts.st_mode) ? "a directory" : "a device, pipe or socket");
  } else if (facts.st_size < 0 || (uintmax_t)facts.st_size > SIZE_LIMIT) {
    status = file_refuse(report, ATTEND_STATUS_OVERFLOW,
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

AttendStatus file_read_at(const FileReport *report, const OpenFile *file, size_t offset, void *to,
                          size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got =
        pread(file->descriptor, (char *)to + done, bytes - done, (off_t)(offset + done));
    if (got > 0) {
      done += (size_t)got;
    } else if (got == 0) {
      return file_refuse(report, ATTEND_STATUS_FILE_UNREADABLE,
                         "the file ends at byte %zu; it had %zu bytes when it was opened",
                         offset + done, file->bytes);
    } else if (errno != EINTR) {
      return file_refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be read: %m");
    }
  }
  return ATTEND_OK;
}

AttendStatus file_read_floats(const FileReport *report, const OpenFile *file, size_t offset,
                              NumberKind kind, size_t count, float *to) {
  if (kind == NUMBER_F32) return file_read_at(report, file, offset, to, count * sizeof *to);
  const size_t each = widen_bytes(kind);
  char *const piece = malloc(PIECE_BYTES);
  if (piece == NULL) {
    return file_refuse(report, ATTEND_STATUS_OUT_OF_MEMORY, "%d bytes could not be allocated",
                       PIECE_BYTES);
  }
  AttendStatus status = ATTEND_OK;
  for (size_t done = 0; done < count && status == ATTEND_OK;) {
    const size_t numbers = size_min(count - done, PIECE_BYTES / each);
    status = file_read_at(report, file, offset + done * each, piece, numbers * each);
    if (status == ATTEND_OK) widen_numbers(kind, piece, numbers, to + done);
    done += numbers;
  }
  free(piece);
  return status;
}

static AttendStatus read_all(const FileReport *report, const OpenFile *file, char **data) {
  char *const buffer = malloc(file->bytes);
  if (buffer == NULL) {
    return file_refuse(report, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated",
                       file->bytes);
  }
  const AttendStatus status = file_read_at(report, file, 0, buffer, file->bytes);
  if (status != ATTEND_OK) {
    free(buffer);
    return status;
  }
  *data = buffer;
  return ATTEND_OK;
}

AttendStatus file_read_whole(const FileReport *report, size_t limit, const char *name,
                             const char *content, char **data, size_t *bytes) {
  OpenFile file = {-1, 0};
  AttendStatus status = file_open(report, &file);
  if (status != ATTEND_OK) return status;
  if (file.bytes == 0) {
    status = file_refuse(report, ATTEND_STATUS_FILE_INVALID, "the file is empty; %s is expected",
                         content);
  } else if (file.bytes > limit) {
    status = file_refuse(report, ATTEND_STATUS_FILE_INVALID,
                         "the file has %zu bytes; %s of at most %zu is expected", file.bytes, name,
                         limit);
  } else {
    status = read_all(report, &file, data);
  }
  close(file.descriptor);
  *bytes = file.bytes;
  return status;
}
