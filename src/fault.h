/* fault.h - a status with the sentence that explains it.
 *
 * Every internal function that can refuse takes a Fault and returns what fault_set() returned, so
 * that the sentence is written where the reason is known.
 */
#ifndef ATTEND_SRC_FAULT_H
#define ATTEND_SRC_FAULT_H

#include <stdarg.h>
#include <stdio.h>

#include "attend/attend.h"

typedef struct Fault {
  AttendStatus status;
  char text[ATTEND_REASON_SIZE];
} Fault;

/* Writes the sentence (printf format, cut if too long) and returns the status. */
__attribute__((format(printf, 3, 4))) static inline AttendStatus
fault_set(Fault *fault, AttendStatus status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(fault->text, sizeof fault->text, format, arguments);
  va_end(arguments);
  fault->status = status;
  return status;
}

static inline void fault_clear(Fault *fault) {
  fault->status = ATTEND_OK;
  fault->text[0] = '\0';
}

#endif
