/* wrap.c - breaks text between words, counting characters rather than bytes. */
#include "cli/util/wrap.h"

#include <string.h>

static size_t width_of(const char *text, size_t bytes) {
  size_t width = 0;
  for (size_t i = 0; i < bytes; i++) width += ((unsigned char)text[i] & 0xC0) != 0x80;
  return width;
}

size_t text_width(const char *text) {
  return width_of(text, strlen(text));
}

void print_wrapped(FILE *stream, const char *text, size_t indent, size_t width) {
  size_t column = indent;
  while (*text) {
    const size_t bytes = strcspn(text, " "), word = width_of(text, bytes);
    if (column > indent && column + 1 + word > width) {
      fprintf(stream, "\n%*s", (int)indent, "");
      column = indent;
    }
    if (column > indent) fputc(' ', stream);
    fprintf(stream, "%.*s", (int)bytes, text);
    column += (column > indent) + word;
    text += bytes;
    text += strspn(text, " ");
  }
  fputc('\n', stream);
}
