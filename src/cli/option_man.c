/* option_man.c - the man page's list of commands and their sections, in mdoc, from the tables. */
#include <stdio.h>
#include <string.h>

#include "cli/option_pages.h"

/* Text as mdoc takes it: at the beginning of a line or, with `behind`, behind a macro. */
static void print_text(const char *text, bool behind) {
  if (!behind && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
  for (; *text != '\0'; text++) {
    switch (*text) {
    case '-':
      fputs(text[1] == '-' ? "\\-" : "-", stdout);
      break;
    case '`':
      fputs("\\(ga", stdout);
      break;
    case '~':
      fputs("\\(ti", stdout);
      break;
    case '^':
      fputs("\\(ha", stdout);
      break;
    case '\\':
      fputs("\\e", stdout);
      break;
    default:
      putchar(*text);
    }
  }
}

static void print_line(const char *text, const char *end) {
  print_text(text, false);
  puts(end);
}

static void print_macro(const char *macro, const char *text) {
  printf("%s ", macro);
  print_text(text, true);
  putchar('\n');
}

static void print_paragraphs(const char *lines) {
  char line[OPTION_TEXT_SIZE];
  while (next_line(&lines, line)) {
    puts(".Pp");
    print_line(line, "");
  }
}

static void print_rule(const OptionRule *rule) {
  static const char *const words[] = {
      [NOT_WITH] = "Not with", [NEEDS] = "Needs", [ONLY_WITH] = "Goes only with"};
  const char *names = rule->others;
  char name[ATTEND_NAME_SIZE];
  if (rule->kind == NO_RULE) return;
  fputs(words[rule->kind], stdout);
  for (size_t i = 0; option_next_name(&names, name); i++) {
    fputs(i == 0 ? " \\--" : *names == '\0' ? " or \\--" : ", \\--", stdout);
    print_text(name, true);
  }
  fputs(": ", stdout);
  print_line(rule->why, ".");
}

static void print_words(const Choices *words) {
  puts(".Bl -tag -width Ds -compact");
  for (int word = 0; word < words->count; word++) {
    if (words->name(word) == NULL) continue;
    print_macro(".It Cm", words->name(word));
    print_line(words->about(word), "");
  }
  puts(".El");
}

static void print_option(const Option *option) {
  char text[OPTION_TEXT_SIZE];
  fputs(".It Fl \\-", stdout);
  print_text(option->name, true);
  if (option->argument != NULL) {
    fputs(" Ar ", stdout);
    print_text(option->argument, true);
  }
  putchar('\n');
  option_describe(option, text);
  print_line(text, ".");
  for (int r = 0; r < OPTION_RULES; r++) print_rule(&option->rules[r]);
  if (option->choices != NULL && option->choices->about != NULL) print_words(option->choices);
}

/* Whether several commands have the row from a group: such rows stand on the page once. */
static bool is_common(const OptionRow *row) {
  size_t commands = 0;
  if (!row->shared) return false;
  for (size_t c = 0; command_at(c) != NULL; c++) {
    OptionRows rows;
    option_rows(command_at(c)->options, &rows);
    for (size_t i = 0; i < rows.count; i++) commands += rows.rows[i].option == row->option;
  }
  return commands > 1;
}

/* The rows that are not common, each heading with the first of them. */
static void print_options(const Command *command) {
  OptionRows rows;
  option_rows(command->options, &rows);
  const char *heading = "Options";
  bool open = false;
  for (size_t i = 0; i < rows.count; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->heading != NULL) heading = option->heading;
    if (option->name == NULL || option->hidden || is_common(&rows.rows[i])) continue;
    if (heading != NULL) {
      if (open) puts(".El");
      puts(".Pp");
      print_line(heading, ":");
      puts(".Bl -tag -width Ds");
    }
    heading = NULL;
    open = true;
    print_option(option);
  }
  if (open) puts(".El");
}

/* The names of the common options that the command has. */
static void print_common_names(const Command *command) {
  OptionRows rows;
  size_t count = 0;
  option_rows(command->options, &rows);
  for (size_t i = 0; i < rows.count; i++) {
    if (rows.rows[i].option->name == NULL || !is_common(&rows.rows[i])) continue;
    fputs(count++ == 0 ? ".Pp\nCommon options: \\--" : ", \\--", stdout);
    print_text(rows.rows[i].option->name, true);
  }
  if (count > 0) puts(".");
}

static void print_section(const Command *command) {
  const char *forms = command->synopsis;
  char form[OPTION_TEXT_SIZE];
  printf(".Ss %s\n", command->name);
  while (next_line(&forms, form)) {
    printf(".D1 attend %s ", command->name);
    print_text(form, true);
    putchar('\n');
  }
  print_paragraphs(command->about);
  if (command->operands != NULL) {
    printf(".Pp\n.Ar %s\nis one of:\n.Pp\n", command->operand);
    print_words(command->operands);
  }
  print_options(command);
  print_common_names(command);
  if (command->ending != NULL) print_paragraphs(command->ending);
}

void man_print_commands(void) {
  for (size_t c = 0; command_at(c) != NULL; c++) {
    print_macro(".It Ic", command_at(c)->name);
    print_line(command_at(c)->summary, "");
  }
}

void man_print_sections(void) {
  for (size_t c = 0; command_at(c) != NULL; c++) print_section(command_at(c));
}

void man_print_common(void) {
  const Option *printed[OPTION_ROWS_MAX];
  size_t count = 0;
  for (size_t c = 0; command_at(c) != NULL; c++) {
    OptionRows rows;
    option_rows(command_at(c)->options, &rows);
    for (size_t i = 0; i < rows.count; i++) {
      const Option *const option = rows.rows[i].option;
      bool skip = option->name == NULL || option->hidden || !is_common(&rows.rows[i]);
      for (size_t p = 0; p < count; p++) skip |= printed[p] == option;
      if (skip || count == OPTION_ROWS_MAX) continue;
      printed[count++] = option;
      print_option(option);
    }
  }
}

void man_print_isas(void) {
  const char *separator = "";
  for (int isa = ATTEND_ISA_AUTO + 1; isa < ATTEND_ISA_COUNT; isa++) {
    printf("%s%s", separator, isa_choices.name(isa));
    separator = isa + 2 == ATTEND_ISA_COUNT ? " and " : ", ";
  }
  puts(".");
}
