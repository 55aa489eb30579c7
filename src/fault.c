/* fault.c - the wording that all refusals share: the place, the reason, and one line.
 *
 * Paths and files may hold any bytes, so control characters become question marks. The reason
 * itself is written by whoever refuses.
 */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attend/io.h"

_Static_assert(FAULT_SIZE == ATTEND_FILE_ERROR_SIZE, "a sentence about a file fits both");

/* Bytes of a long place that are shown, so that any sentence fits. */
#define MAX_SHOWN_PLACE 192

size_t fault_control_bytes(const char *text) {
  const unsigned char first = (unsigned char)text[0];
  if (first != 0xc2) return (first > 0 && first < 0x20) || first == 0x7f;
  return (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

/* Writes "PLACE: " and returns its length. */
static size_t write_place(Fault *fault) {
  if (!fault->place) return 0;
  const size_t length = strlen(fault->place);
  const size_t hidden = length > MAX_SHOWN_PLACE ? length - MAX_SHOWN_PLACE : 0;
  const int written = snprintf(fault->text, sizeof fault->text, "%s%s: ", hidden > 0 ? "..." : "",
                               fault->place + hidden);
  return written < 0 ? 0 : (size_t)written;
}

AttendStatus fault_set(Fault *fault, AttendStatus status, const char *format, ...) {
  const size_t head = write_place(fault);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(fault->text + head, sizeof fault->text - head, format, arguments);
  va_end(arguments);
  for (char *at = fault->text; *at != '\0'; at++) memset(at, '?', fault_control_bytes(at));
  fault->status = status;
  return status;
}

AttendStatus fault_tell(const Fault *fault, char *error, size_t size) {
  if (error && size > 0) snprintf(error, size, "%s", fault->text);
  return fault->status;
}
