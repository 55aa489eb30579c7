/* option_pages.h - what people and shells read about the commands, made from their tables. */
#ifndef ATTEND_SRC_CLI_OPTION_PAGES_H
#define ATTEND_SRC_CLI_OPTION_PAGES_H

#include "cli/cli.h"

/* The text of `attend COMMAND --help`. */
void pages_print_help(const Command *command);

/* Copies a template to stdout, with pages in place of the lines that name one. An exit status, with
 * the sentence printed. Before that it checks that the tables hold together: defaults can be read,
 * names are there once, rules name options. */
int pages_fill(const char *template);

/* The pages, on stdout: of the man page the list of commands, the section of each command, the
 * options that several commands have, and the instruction sets; and the words of completions. */
void man_print_commands(void);
void man_print_sections(void);
void man_print_common(void);
void man_print_isas(void);
void completion_print_words(void);

/* Parts of them. */
enum { OPTION_TEXT_SIZE = 1024 };

/* An option's help with the words that it takes and its default. */
void option_describe(const Option *option, char text[OPTION_TEXT_SIZE]);

/* Takes the first line from *lines, without its end. False: none is left. */
bool next_line(const char **lines, char line[OPTION_TEXT_SIZE]);

#endif
