/* complaint.h - one sentence on what went wrong.
 *
 * Functions of the engine that can fail return false and leave the sentence here: what was found,
 * where, and what would be right. Only toy.c prints it. Control characters from files become
 * question marks, so that a terminal does not obey them.
 */
#ifndef TOY_COMPLAINT_H
#define TOY_COMPLAINT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct Complaint {
  char text[640];
} Complaint;

/* Returns false, so that a caller can write `return complain(...)`. */
__attribute__((format(printf, 2, 3))) static inline bool complain(Complaint *complaint,
                                                                  const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(complaint->text, sizeof complaint->text, format, arguments);
  va_end(arguments);
  for (unsigned char *c = (unsigned char *)complaint->text; *c != '\0'; c++) {
    if (*c < 0x20 || *c == 0x7f) *c = '?';
    if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) c[0] = c[1] = '?'; /* U+0080 to U+009F */
  }
  return false;
}

#endif
