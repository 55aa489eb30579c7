/* option_words.c - what bash and zsh offer to complete, as a function of both shells. */
#include <stdio.h>

#include "cli/option_pages.h"

static void shell_word(const char *word) {
  fputs(" '", stdout);
  for (; *word != '\0'; word++) {
    if (*word == '\'') fputs("'\\'", stdout);
    fputc(*word, stdout);
  }
  fputc('\'', stdout);
}

static void shell_choices(const Choices *choices) {
  fputs("printf '%s\\n'", stdout);
  for (int value = 0; value < choices->count; value++) {
    if (choices->name(value) != NULL) shell_word(choices->name(value));
  }
  fputs(" ;;\n", stdout);
}

static void shell_command(const Command *command) {
  OptionRows rows;
  option_rows(command->options, &rows);
  printf("    %s:) printf '%%s\\n'", command->name);
  for (size_t i = 0; i < rows.count; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->name != NULL && !option->hidden) printf(" --%s", option->name);
  }
  puts(" --help ;;");
  if (command->operands != NULL) {
    printf("    %s:operand) ", command->name);
    shell_choices(command->operands);
  }
  for (size_t i = 0; i < rows.count; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->name == NULL || option->choices == NULL) continue;
    printf("    %s:--%s) ", command->name, option->name);
    shell_choices(option->choices);
  }
}

/* A function for bash and zsh: `_attend_words COMMAND OPTION` prints what may follow the option,
 * "operand" in its place what is no option, "" the options; without a command, the commands with
 * their summaries behind a colon. */
void completion_print_words(void) {
  puts("_attend_words() {\n  case $1:$2 in");
  fputs("    :) printf '%s\\n'", stdout);
  for (size_t c = 0; command_at(c) != NULL; c++) {
    char entry[OPTION_TEXT_SIZE];
    snprintf(entry, sizeof entry, "%s:%s", command_at(c)->name, command_at(c)->summary);
    shell_word(entry);
  }
  puts(" ;;");
  for (size_t c = 0; command_at(c) != NULL; c++) shell_command(command_at(c));
  puts("  esac\n}");
}
