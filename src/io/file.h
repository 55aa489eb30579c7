/* file.h - reading files that nobody vouches for, and saying what is wrong with them.
 *
 * Every reader of the library goes through these calls. Only regular files are read, through one
 * descriptor from the check of their kind and size to their last byte, so that what was checked is
 * what is read. A function that fails has written the sentence and returns a status to pass on.
 */
#ifndef ATTEND_SRC_IO_FILE_H
#define ATTEND_SRC_IO_FILE_H

#include "attend/io.h"
#include "io/widen.h"

/* Which file a call is about, and where the sentence of a failure goes. */
typedef struct FileReport {
  const char *path;
  char *error;
  size_t error_size; /* 0 if nobody wants the sentence */
} FileReport;

/* The report of a call of attend/io.h, its sentence emptied. `otherwise` names the file where the
 * path is null. */
FileReport file_report(const char *path, const char *otherwise, char *error, size_t error_size);

/* Writes "PATH: " and the formatted reason, on one line whatever bytes path and file hold, and
 * returns status, so that a failing function can return its result. */
AttendStatus file_refuse(const FileReport *report, AttendStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The refusal of a file that output_file.h could not write, for the reason in errno. */
AttendStatus file_refuse_writing(const FileReport *report);

/* Bytes of the control character that the text begins with, 0 if it begins with none: those of
 * ASCII, and U+0080 to U+009F in UTF-8, which some terminals obey too. */
static inline size_t file_control_bytes(const char *text) {
  const unsigned char first = (unsigned char)text[0];
  if (first != 0xc2) return (first > 0 && first < 0x20) || first == 0x7f;
  return (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

/* A name out of a file as the two arguments of "%.*s": its beginning, cut between characters. */
#define FILE_SHOWN(name) file_shown_length(name), (name)
int file_shown_length(const char *name);

/* The formatted text in new memory, to be freed; null if there is none. */
__attribute__((format(printf, 1, 2))) char *file_text(const char *format, ...);

/* What a file is, if it is to be read: a descriptor to close(), and its bytes at the time. */
typedef struct OpenFile {
  int descriptor;
  size_t bytes;
} OpenFile;

/* Opens a regular file. Never waits: a named pipe is refused, whoever is at its other end. */
AttendStatus file_open(const FileReport *report, OpenFile *file);

/* Reads bytes offset .. offset + bytes. A file that ends before them is refused as cut short. */
AttendStatus file_read_at(const FileReport *report, const OpenFile *file, size_t offset, void *to,
                          size_t bytes);

/* Reads `count` numbers of that kind from byte `offset` on, as fp32. */
AttendStatus file_read_floats(const FileReport *report, const OpenFile *file, size_t offset,
                              NumberKind kind, size_t count, float *to);

/* Reads a whole file of 1 .. limit bytes. `name` and `content` say what it ought to be ("a
 * config.json", "a JSON object"). *data is freed by the caller. */
AttendStatus file_read_whole(const FileReport *report, size_t limit, const char *name,
                             const char *content, char **data, size_t *bytes);

#endif
