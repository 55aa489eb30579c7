/* utf8.h - text from outside, as a terminal and an XML parser may have it.
 *
 * A newline and a tab are shown as arrows. The replacement character stands for any other control
 * character, for a code that is no character, and for bytes that are not UTF-8.
 */
#ifndef ATTEND_SRC_CLI_UTIL_UTF8_H
#define ATTEND_SRC_CLI_UTIL_UTF8_H

#include <stddef.h>

/* Bytes of the control character at the beginning of the text, 0 if there is none. */
static inline size_t utf8_control_bytes(const char *text) {
  const unsigned char first = (unsigned char)text[0];
  if (first != 0xc2) return (first > 0 && first < 0x20) || first == 0x7f;
  return (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

/* Columns that the text takes in a terminal: 2 for a wide character, 0 for a combining one. */
size_t utf8_columns(const char *text);

/* The same of the first `bytes` bytes. */
size_t utf8_columns_of(const char *text, size_t bytes);

/* Copies the text, as it may be shown, into to[0..size), and terminates it. A text of more than
 * `columns` columns is cut and ends in an ellipsis. Returns the columns of the copy. */
size_t utf8_copy(const char *text, size_t columns, char *to, size_t size);

#endif
