/* option_pages.c - fills the templates of the man page and the completions. */
#include "cli/option_pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_rule(const Command *command, const OptionRows *rows, const OptionRule *rule) {
  const char *names = rule->others;
  char name[ATTEND_NAME_SIZE];
  if (rule->kind == NO_RULE) return EXIT_SUCCESS;
  while (option_next_name(&names, name)) {
    if (option_find(rows, name) < rows->count) continue;
    return failure("%s: a rule names --%s, which is not in the table.", command->name, name);
  }
  return EXIT_SUCCESS;
}

static int check_command(const Command *command) {
  char *arguments[] = {"", NULL};
  CommandLine line;
  OptionRows rows;
  option_rows(command->options, &rows);
  if (rows.count == OPTION_ROWS_MAX) return failure("%s: the table is too long.", command->name);
  int status = EXIT_SUCCESS;
  for (size_t i = 0; i < rows.count && status == EXIT_SUCCESS; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->name == NULL) continue;
    if (option_find(&rows, option->name) != i)
      return failure("%s: --%s is in the table twice.", command->name, option->name);
    for (int r = 0; r < OPTION_RULES && status == EXIT_SUCCESS; r++) {
      status = check_rule(command, &rows, &option->rules[r]);
    }
  }
  for (int r = 0; r < OPTION_RULES && status == EXIT_SUCCESS; r++) {
    status = check_rule(command, &rows, &command->needs[r]);
  }
  if (status != EXIT_SUCCESS) return status;
  Command defaults = *command;
  defaults.missing = NULL;
  memset(defaults.needs, 0, sizeof defaults.needs);
  void *const options = calloc(1, command->options_size);
  if (options == NULL) return failure("memory for the options is missing.");
  status = command_line_read(&defaults, 1, arguments, options, &line);
  free(options);
  return status;
}

int pages_fill(const char *template) {
  static const struct {
    const char *line;
    void (*print)(void);
  } pages[] = {{"@commands@\n", man_print_commands},
               {"@sections@\n", man_print_sections},
               {"@common-options@\n", man_print_common},
               {"@instruction-sets@\n", man_print_isas},
               {"@words@\n", completion_print_words}};
  char line[OPTION_TEXT_SIZE];
  int status = EXIT_SUCCESS;
  for (size_t c = 0; command_at(c) != NULL && status == EXIT_SUCCESS; c++) {
    status = check_command(command_at(c));
  }
  if (status != EXIT_SUCCESS) return status;
  FILE *const file = fopen(template, "r");
  if (file == NULL) return failure("%s: the file cannot be opened: %s.", template, strerror(errno));
  while (fgets(line, sizeof line, file) != NULL) {
    bool filled = false;
    for (size_t p = 0; p < sizeof pages / sizeof *pages && !filled; p++) {
      filled = strcmp(line, pages[p].line) == 0;
      if (filled) pages[p].print();
    }
    if (!filled) fputs(line, stdout);
  }
  fclose(file);
  return finish_stdout();
}
