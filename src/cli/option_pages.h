/* option_pages.h - what people and shells read about the commands, made from their tables. */
#ifndef ATTEND_SRC_CLI_OPTION_PAGES_H
#define ATTEND_SRC_CLI_OPTION_PAGES_H

#include <stdio.h>

#include "cli/cli.h"

/* The text of `attend COMMAND --help`. */
void pages_print_help(FILE *stream, const Command *command);

/* Copies a template to stdout, with pages in place of the lines that name one: @man-commands@,
 * @man-options@ and @man-shared@ of the man page, @words@ for completions. Checks first that the
 * tables hold together: defaults can be read, names are there once, rules name options. An exit
 * status, with the sentence printed. */
int pages_fill(const char *template);

#endif
