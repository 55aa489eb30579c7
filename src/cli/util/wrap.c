/* wrap.c - breaks text between words, by columns rather than bytes. */
#include "cli/util/wrap.h"

#include <string.h>

#include "cli/util/utf8.h"

void print_wrapped(FILE *stream, const char *text, size_t indent, size_t width) {
  size_t column = indent;
  while (*text) {
    const size_t bytes = strcspn(text, " "), word = utf8_columns_of(text, bytes);
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
