/* wrap.h - a paragraph broken between words. */
#ifndef ATTEND_SRC_CLI_UTIL_WRAP_H
#define ATTEND_SRC_CLI_UTIL_WRAP_H

#include <stddef.h>
#include <stdio.h>

/* Prints the words of `text` on lines of at most `width` columns. Lines begin at column
 * `indent`; the caller has brought the first one there. */
void print_wrapped(FILE *stream, const char *text, size_t indent, size_t width);

#endif
