/* utf8.c - decoding and widths by libutf8proc, whose tables do not depend on the process's locale.
 *
 * Owns which characters are shown as others, and where a text that is too long is cut.
 */
#include "cli/util/utf8.h"

#include <string.h>
#include <utf8proc.h>

#define REPLACEMENT 0xfffd
#define ARROW_OF_NEWLINE 0x21b5
#define ARROW_OF_TAB 0x21e5

/* A character as it is shown. */
typedef struct Shown {
  utf8proc_int32_t code;
  size_t columns;
  size_t read; /* bytes of the text that it stands for */
} Shown;

/* Controls, and codes without a character: XML allows some of them nowhere, and a terminal obeys
 * others. */
static utf8proc_int32_t shown_code(utf8proc_int32_t code) {
  if (code == '\n') return ARROW_OF_NEWLINE;
  if (code == '\t') return ARROW_OF_TAB;
  const utf8proc_category_t category = utf8proc_category(code);
  const bool none = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CN;
  return none ? REPLACEMENT : code;
}

/* The first of `bytes` > 0 bytes that are left of a text. One that begins no character takes the
 * continuation bytes after it along. */
static Shown next_character(const char *text, size_t bytes) {
  Shown shown = {.read = 1};
  const utf8proc_ssize_t read =
      utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)bytes, &shown.code);
  if (read > 0) {
    shown.read = (size_t)read;
    shown.code = shown_code(shown.code);
  } else {
    shown.code = REPLACEMENT;
    while (shown.read < bytes && ((unsigned char)text[shown.read] & 0xc0) == 0x80) shown.read++;
  }
  shown.columns = (size_t)utf8proc_charwidth(shown.code);
  return shown;
}

size_t utf8_columns_of(const char *text, size_t bytes) {
  size_t columns = 0;
  for (size_t at = 0; at < bytes;) {
    const Shown shown = next_character(text + at, bytes - at);
    columns += shown.columns;
    at += shown.read;
  }
  return columns;
}

size_t utf8_columns(const char *text) {
  return utf8_columns_of(text, strlen(text));
}

size_t utf8_copy(const char *text, size_t columns, char *to, size_t size) {
  static const char ellipsis[] = "…";
  size_t length = 0, taken = 0;
  size_t cut_length = 0, cut_taken = 0; /* as much of it as leaves room for the ellipsis */
  if (size == 0) return 0;
  for (size_t left = strlen(text); left > 0;) {
    const Shown shown = next_character(text, left);
    utf8proc_uint8_t bytes[4];
    const size_t count = (size_t)utf8proc_encode_char(shown.code, bytes);
    if (taken + shown.columns > columns || length + count >= size) {
      const bool room = columns > 0 && size >= sizeof ellipsis;
      memcpy(to + (room ? cut_length : 0), room ? ellipsis : "", room ? sizeof ellipsis : 1);
      return room ? cut_taken + 1 : 0;
    }
    memcpy(to + length, bytes, count);
    length += count;
    taken += shown.columns;
    if (taken < columns && length + sizeof ellipsis <= size) {
      cut_length = length;
      cut_taken = taken;
    }
    text += shown.read;
    left -= shown.read;
  }
  to[length] = '\0';
  return taken;
}
