/* utf8.h - text from outside, made fit for a terminal and for XML.
 *
 * What no terminal or parser should get becomes visible: a newline and a tab an arrow, any other
 * control character and a byte that is no UTF-8 the replacement character.
 */
#ifndef ATTEND_SRC_CLI_UTF8_H
#define ATTEND_SRC_CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the control character that the text begins with, 0 if it begins with none. */
static inline size_t utf8_control_bytes(const char *text) {
  const unsigned char first = (unsigned char)text[0];
  if (first != 0xc2) return (first > 0 && first < 0x20) || first == 0x7f;
  return (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

/* Reads one character, which must not be the terminating zero, and returns how many bytes it
 * took. */
size_t utf8_next(const char *text, uint32_t *code);

/* Columns that the text takes in a terminal: 2 for a wide character, 0 for one that combines. */
size_t utf8_columns(const char *text);

/* Copies the text, made fit, into to[0..size), which is always terminated. What is longer than
 * `columns` is cut, and ends in an ellipsis. Returns the columns it takes. */
size_t utf8_copy(const char *text, size_t columns, char *to, size_t size);

#endif
