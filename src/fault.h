/* fault.h - a status with the sentence that explains it.
 *
 * Every internal function that can refuse takes a Fault and returns what fault_set() returned, so
 * that the sentence is written where the reason is known. Readers and writers of files find the
 * path in fault->place: a caller that turns to another file sets it before, and sets it back after.
 */
#ifndef ATTEND_SRC_FAULT_H
#define ATTEND_SRC_FAULT_H

#include "attend/attend.h"

/* The longest sentence and its NUL. */
#define FAULT_SIZE 512

typedef struct Fault {
  AttendStatus status;
  const char *place; /* the file that the sentence begins with; null where no file is involved */
  char text[FAULT_SIZE];
} Fault;

/* Writes "PLACE: " if there is a place, then the reason (printf format), on one line whatever bytes
 * they hold. Of a long place the end is shown; a sentence that is too long is cut. Returns the
 * status. */
AttendStatus fault_set(Fault *fault, AttendStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies the sentence, "" if there is none, into a caller's buffer (null, or size bytes) and
 * returns the status. The calls of attend/io.h end in it. */
AttendStatus fault_tell(const Fault *fault, char *error, size_t size);

static inline void fault_clear(Fault *fault) {
  fault->status = ATTEND_OK;
  fault->place = NULL;
  fault->text[0] = '\0';
}

/* Bytes of the control character that the text begins with, 0 if it begins with none: those of
 * ASCII, and U+0080 to U+009F in UTF-8, which some terminals obey too. */
size_t fault_control_bytes(const char *text);

#endif
