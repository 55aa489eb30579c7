/* wrap.h - a paragraph broken between words. */
#ifndef ATTEND_SRC_CLI_WRAP_H
#define ATTEND_SRC_CLI_WRAP_H

#include <stddef.h>
#include <stdio.h>

/* Characters of UTF-8, each of which is one column wide in what the tool prints. */
size_t text_width(const char *text);

/* Prints the words of `text` on lines of at most `width` columns, which begin at column `indent`;
 * the first line is taken to have been brought there by the caller. */
void print_wrapped(FILE *stream, const char *text, size_t indent, size_t width);

#endif
