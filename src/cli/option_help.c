/* option_help.c - the help of a command, from its table.
 *
 * Owns its form; every word on what an option does is its row's.
 */
#include <stdio.h>
#include <string.h>

#include "cli/option_pages.h"
#include "cli/util/wrap.h"

enum { TEXT_COLUMN = 25, WORD_WIDTH = 8, PAGE_WIDTH = 98 };

void option_describe(const Option *option, char text[OPTION_TEXT_SIZE]) {
  const bool one = option->read == read_choice, several = option->read == read_choices;
  const char *const fallback = option->initial != NULL ? option->initial : option->derived;
  char names[256] = "";
  if ((one || several) && option->choices->about == NULL) {
    choices_list(option->choices, ", ", names, sizeof names);
  }
  snprintf(text, OPTION_TEXT_SIZE, "%s%s%s%s%s%s", option->help,
           names[0] == '\0' ? ""
           : one            ? "; one of "
                            : "; some of ",
           names, fallback != NULL ? " (default " : "", fallback != NULL ? fallback : "",
           fallback != NULL ? ")" : "");
}

bool next_line(const char **lines, char line[OPTION_TEXT_SIZE]) {
  const size_t length = strcspn(*lines, "\n");
  if (length == 0) return false;
  snprintf(line, OPTION_TEXT_SIZE, "%.*s", (int)length, *lines);
  *lines += length;
  *lines += **lines == '\n';
  return true;
}

static void print_entry(const char *left, const char *text) {
  const int width = TEXT_COLUMN - 4;
  if (strlen(left) > (size_t)width) {
    printf("  %s\n%*s", left, TEXT_COLUMN, "");
  } else {
    printf("  %-*s  ", width, left);
  }
  print_wrapped(stdout, text, TEXT_COLUMN, PAGE_WIDTH);
}

static void print_option(const Option *option) {
  const Choices *const choices = option->choices;
  char left[ATTEND_NAME_SIZE], text[OPTION_TEXT_SIZE];
  const bool value = option->argument != NULL;
  snprintf(left, sizeof left, "--%s%s%s", option->name, value ? " " : "",
           value ? option->argument : "");
  option_describe(option, text);
  print_entry(left, text);
  for (int word = 0; choices != NULL && choices->about != NULL && word < choices->count; word++) {
    if (choices->name(word) == NULL) continue;
    printf("%*s%-*s", TEXT_COLUMN, "", WORD_WIDTH, choices->name(word));
    print_wrapped(stdout, choices->about(word), TEXT_COLUMN + WORD_WIDTH, PAGE_WIDTH);
  }
}

static void print_paragraphs(const char *lines) {
  char line[OPTION_TEXT_SIZE];
  while (next_line(&lines, line)) {
    putchar('\n');
    print_wrapped(stdout, line, 0, PAGE_WIDTH);
  }
}

static void print_usage(const Command *command) {
  const char *forms = command->synopsis;
  char form[OPTION_TEXT_SIZE];
  for (size_t i = 0; next_line(&forms, form); i++) {
    printf("%s attend %s %s\n", i == 0 ? "Usage:" : "      ", command->name, form);
  }
}

static void print_operands(const Command *command) {
  const Choices *const words = command->operands;
  if (words == NULL) return;
  printf("\n%s is one of:\n", command->operand);
  for (int word = 0; word < words->count; word++) {
    if (words->name(word) != NULL) print_entry(words->name(word), words->about(word));
  }
}

void pages_print_help(const Command *command) {
  OptionRows rows;
  option_rows(command->options, &rows);
  print_usage(command);
  print_paragraphs(command->about);
  print_operands(command);
  for (size_t i = 0; i < rows.count; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->heading != NULL || i == 0) {
      printf("\n%s:\n", option->heading != NULL ? option->heading : "Options");
    }
    if (option->name != NULL && !option->hidden) print_option(option);
  }
  print_entry("-h, --help", "print this text");
  if (command->ending != NULL) print_paragraphs(command->ending);
}
