/* utf8.c - one decoder for terminals and pictures, so that both show the same text.
 *
 * Widths follow Unicode's East Asian Width as far as tokens of language models need it; the C
 * library's wcwidth() would depend on the locale of the process.
 */
#include "cli/util/utf8.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT 0xfffdu
#define ARROW_OF_NEWLINE 0x21b5u
#define ARROW_OF_TAB 0x21e5u

static bool is_continuation(char byte) {
  return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The bytes that a first byte announces; 0 if none begins a character. */
static size_t announced_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static uint32_t made_fit(uint32_t code, size_t bytes) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code == '\n') return ARROW_OF_NEWLINE;
  if (code == '\t') return ARROW_OF_TAB;
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool noncharacter = (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code < 0xfdf0);
  const bool overlong = code < least[bytes];
  return surrogate || control || noncharacter || overlong || code > 0x10ffff ? REPLACEMENT : code;
}

size_t utf8_next(const char *text, uint32_t *code) {
  const unsigned char first = (unsigned char)*text;
  const size_t bytes = announced_bytes(first);
  *code = REPLACEMENT;
  if (bytes == 0) return 1;
  uint32_t value = bytes == 1 ? first : first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if (!is_continuation(text[i])) return i;
    value = value << 6 | ((unsigned char)text[i] & 0x3fu);
  }
  *code = made_fit(value, bytes);
  return bytes;
}

typedef struct CodeRange {
  uint32_t first, last;
} CodeRange;

static bool is_in(const CodeRange *ranges, size_t count, uint32_t code) {
  for (size_t i = 0; i < count; i++) {
    if (ranges[i].first <= code && code <= ranges[i].last) return true;
  }
  return false;
}

static size_t columns_of(uint32_t code) {
  static const CodeRange combining[] = {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                        {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2069},
                                        {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
  static const CodeRange wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                   {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
  if (is_in(combining, sizeof combining / sizeof *combining, code)) return 0;
  return is_in(wide, sizeof wide / sizeof *wide, code) ? 2 : 1;
}

size_t utf8_columns(const char *text) {
  size_t columns = 0;
  while (*text) {
    uint32_t code;
    text += utf8_next(text, &code);
    columns += columns_of(code);
  }
  return columns;
}

/* Writes a character and returns its bytes. */
static size_t encode(uint32_t code, char to[static 4]) {
  if (code < 0x80) {
    to[0] = (char)code;
    return 1;
  }
  const size_t bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = bytes - 1; i > 0; i--, code >>= 6) to[i] = (char)(0x80 | (code & 0x3f));
  to[0] = (char)((0xf00u >> bytes & 0xffu) | code);
  return bytes;
}

/* Bytes of the text once it is made fit, without its terminator. */
static size_t fit_bytes(const char *text) {
  size_t length = 0;
  while (*text) {
    uint32_t code;
    char bytes[4];
    text += utf8_next(text, &code);
    length += encode(code, bytes);
  }
  return length;
}

size_t utf8_copy(const char *text, size_t columns, char *to, size_t size) {
  static const char ellipsis[] = "…";
  const bool whole = utf8_columns(text) <= columns && fit_bytes(text) < size;
  size_t taken = 0, length = 0;
  if (!whole && (columns == 0 || size < sizeof ellipsis)) {
    if (size > 0) *to = '\0';
    return 0;
  }
  const size_t most_columns = whole ? columns : columns - 1;
  const size_t most_bytes = whole ? size - 1 : size - sizeof ellipsis;
  while (*text) {
    uint32_t code;
    char bytes[4];
    text += utf8_next(text, &code);
    const size_t count = encode(code, bytes);
    if (taken + columns_of(code) > most_columns || length + count > most_bytes) break;
    memcpy(to + length, bytes, count);
    taken += columns_of(code);
    length += count;
  }
  memcpy(to + length, whole ? "" : ellipsis, whole ? 1 : sizeof ellipsis);
  return whole ? taken : taken + 1;
}
