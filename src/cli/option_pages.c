/* option_pages.c - help, man page and completions from the tables of the commands.
 *
 * Owns their form; every word of what an option does is its row's. Knows no command by name.
 */
#include "cli/option_pages.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/util/wrap.h"

enum { TEXT_COLUMN = 25, PAGE_WIDTH = 98, TEXT_SIZE = 1024 };

typedef struct Text {
  size_t used;
  char data[TEXT_SIZE];
} Text;

__attribute__((format(printf, 2, 3))) static void append(Text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length =
      vsnprintf(text->data + text->used, sizeof text->data - text->used, format, arguments);
  va_end(arguments);
  text->used += (size_t)length;
  if (text->used >= sizeof text->data) text->used = sizeof text->data - 1;
}

/* Its help with the words that it takes and its default. */
static void describe(const Option *option, Text *text) {
  const bool one = option->read == read_choice, several = option->read == read_choices;
  char names[256];
  text->used = 0;
  append(text, "%s", option->help);
  if ((one || several) && option->choices->about == NULL) {
    choices_list(option->choices, ", ", names, sizeof names);
    append(text, "; %s of %s", one ? "one" : "some", names);
  }
  if (option->initial != NULL) append(text, " (default %s)", option->initial);
  if (option->derived != NULL) append(text, " (default %s)", option->derived);
}

static bool has_abouts(const Option *option) {
  return option->choices != NULL && option->choices->about != NULL;
}

/* --- help --- */

static void print_entry(FILE *stream, const char *left, const char *text) {
  const int width = TEXT_COLUMN - 4;
  if (strlen(left) > (size_t)width) {
    fprintf(stream, "  %s\n%*s", left, TEXT_COLUMN, "");
  } else {
    fprintf(stream, "  %-*s  ", width, left);
  }
  print_wrapped(stream, text, TEXT_COLUMN, PAGE_WIDTH);
}

static void print_option(FILE *stream, const Option *option) {
  char left[ATTEND_NAME_SIZE];
  Text text;
  describe(option, &text);
  snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument != NULL ? " " : "",
           option->argument != NULL ? option->argument : "");
  print_entry(stream, left, text.data);
  for (int value = 0; has_abouts(option) && value < option->choices->count; value++) {
    fprintf(stream, "%*s%-8s", TEXT_COLUMN, "", option->choices->name(value));
    print_wrapped(stream, option->choices->about(value), TEXT_COLUMN + 8, PAGE_WIDTH);
  }
}

/* Calls print(stream, line) for each line of the text. */
static void each_line(FILE *stream, const char *text,
                      void (*print)(FILE *stream, const char *line)) {
  char line[TEXT_SIZE];
  while (*text != '\0') {
    const size_t length = strcspn(text, "\n");
    snprintf(line, sizeof line, "%.*s", (int)length, text);
    print(stream, line);
    text += length;
    text += *text == '\n';
  }
}

static void print_paragraph(FILE *stream, const char *line) {
  fputc('\n', stream);
  print_wrapped(stream, line, 0, PAGE_WIDTH);
}

static void print_operands(FILE *stream, const Command *command) {
  if (command->operands == NULL) return;
  fprintf(stream, "\n%s is one of:\n", command->operand);
  for (int value = 0; value < command->operands->count; value++) {
    if (command->operands->name(value) == NULL) continue;
    print_entry(stream, command->operands->name(value), command->operands->about(value));
  }
}

void pages_print_help(FILE *stream, const Command *command) {
  OptionRows rows;
  option_rows(command->options, &rows);
  const char *form = command->synopsis;
  for (size_t i = 0; *form != '\0'; i++) {
    const size_t length = strcspn(form, "\n");
    fprintf(stream, "%s attend %s %.*s\n", i == 0 ? "Usage:" : "      ", command->name, (int)length,
            form);
    form += length;
    form += *form == '\n';
  }
  each_line(stream, command->about, print_paragraph);
  print_operands(stream, command);
  bool begun = false;
  for (size_t i = 0; i < rows.count; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->hidden) continue;
    if (option->heading != NULL || !begun) {
      fprintf(stream, "\n%s:\n", option->heading != NULL ? option->heading : "Options");
    }
    begun = true;
    if (option->name != NULL) print_option(stream, option);
  }
  print_entry(stream, "-h, --help", "print this text");
  if (command->ending != NULL) print_paragraph(stream, command->ending);
}

/* --- man page --- */

/* Text as mdoc takes it: at the beginning of a line or, with in_line, behind a macro. */
static void print_mdoc(FILE *stream, const char *text, bool in_line) {
  if (!in_line && (*text == '.' || *text == '\'')) fputs("\\&", stream);
  for (; *text != '\0'; text++) {
    switch (*text) {
    case '-':
      fputs(in_line || text[1] == '-' ? "\\-" : "-", stream);
      break;
    case '`':
      fputs("\\(ga", stream);
      break;
    case '~':
      fputs("\\(ti", stream);
      break;
    case '^':
      fputs("\\(ha", stream);
      break;
    case '\\':
      fputs("\\e", stream);
      break;
    default:
      fputc(*text, stream);
    }
  }
}

static void man_paragraph(FILE *stream, const char *line) {
  fputs(".Pp\n", stream);
  print_mdoc(stream, line, false);
  fputc('\n', stream);
}

static void man_rule(FILE *stream, const OptionRule *rule) {
  const char *names = rule->others;
  char name[ATTEND_NAME_SIZE];
  if (rule->kind == NO_RULE) return;
  fputs(rule->kind == NOT_WITH ? "Not with"
        : rule->kind == NEEDS  ? "Needs"
                               : "Goes only with",
        stream);
  for (size_t i = 0; option_next_name(&names, name); i++) {
    fputs(i == 0 ? " " : *names == '\0' ? " or " : ", ", stream);
    fputs("\\-\\-", stream);
    print_mdoc(stream, name, true);
  }
  fputs(": ", stream);
  print_mdoc(stream, rule->why, false);
  fputs(".\n", stream);
}

static void man_words(FILE *stream, const Choices *choices) {
  fputs(".Bl -tag -width Ds -compact\n", stream);
  for (int value = 0; value < choices->count; value++) {
    if (choices->name(value) == NULL) continue;
    fputs(".It Cm ", stream);
    print_mdoc(stream, choices->name(value), true);
    fputc('\n', stream);
    print_mdoc(stream, choices->about(value), false);
    fputc('\n', stream);
  }
  fputs(".El\n", stream);
}

static void man_option(FILE *stream, const Option *option) {
  Text text;
  describe(option, &text);
  fputs(".It Fl \\-", stream);
  print_mdoc(stream, option->name, true);
  if (option->argument != NULL) {
    fputs(" Ar ", stream);
    print_mdoc(stream, option->argument, true);
  }
  fputc('\n', stream);
  print_mdoc(stream, text.data, false);
  fputs(".\n", stream);
  for (int r = 0; r < OPTION_RULES; r++) man_rule(stream, &option->rules[r]);
  if (has_abouts(option)) man_words(stream, option->choices);
}

/* Whether several commands have the row from a group: those stand on the page once. */
static bool is_shared(const OptionRow *row) {
  size_t commands = 0;
  if (!row->shared) return false;
  for (size_t c = 0; command_at(c) != NULL; c++) {
    OptionRows rows;
    option_rows(command_at(c)->options, &rows);
    for (size_t i = 0; i < rows.count; i++) commands += rows.rows[i].option == row->option;
  }
  return commands > 1;
}

static void man_forms(FILE *stream, const Command *command) {
  const char *form = command->synopsis;
  while (*form != '\0') {
    char line[TEXT_SIZE];
    const size_t length = strcspn(form, "\n");
    snprintf(line, sizeof line, "%.*s", (int)length, form);
    fprintf(stream, ".D1 attend %s ", command->name);
    print_mdoc(stream, line, true);
    fputc('\n', stream);
    form += length;
    form += *form == '\n';
  }
}

/* Headings are printed with the first row of their own. */
static void man_section(FILE *stream, const Command *command) {
  OptionRows rows;
  option_rows(command->options, &rows);
  fprintf(stream, ".Ss %s\n", command->name);
  man_forms(stream, command);
  each_line(stream, command->about, man_paragraph);
  if (command->operands != NULL) {
    fprintf(stream, ".Pp\n.Ar %s\nis one of:\n.Pp\n", command->operand);
    man_words(stream, command->operands);
  }
  const char *heading = "Options";
  bool open = false;
  for (size_t i = 0; i < rows.count; i++) {
    const Option *const option = rows.rows[i].option;
    if (option->heading != NULL) heading = option->heading;
    if (option->name == NULL || option->hidden || is_shared(&rows.rows[i])) continue;
    if (heading != NULL) {
      if (open) fputs(".El\n", stream);
      man_paragraph(stream, heading);
      fputs(".Bl -tag -width Ds\n", stream);
      open = true;
      heading = NULL;
    }
    man_option(stream, option);
  }
  if (open) fputs(".El\n", stream);
  if (command->ending != NULL) man_paragraph(stream, command->ending);
}

static void man_commands(void) {
  for (size_t c = 0; command_at(c) != NULL; c++) {
    printf(".It Ic %s\n%s\n", command_at(c)->name, command_at(c)->summary);
  }
}

static void man_options(void) {
  for (size_t c = 0; command_at(c) != NULL; c++) man_section(stdout, command_at(c));
}

/* Each shared row once, with the commands that have it. */
static void man_shared(void) {
  const Option *printed[OPTION_ROWS_MAX];
  size_t count = 0;
  for (size_t c = 0; command_at(c) != NULL; c++) {
    OptionRows rows;
    option_rows(command_at(c)->options, &rows);
    for (size_t i = 0; i < rows.count; i++) {
      const Option *const option = rows.rows[i].option;
      bool done = option->name == NULL || option->hidden || !is_shared(&rows.rows[i]);
      for (size_t p = 0; p < count; p++) done |= printed[p] == option;
      if (done || count == OPTION_ROWS_MAX) continue;
      printed[count++] = option;
      man_option(stdout, option);
    }
  }
}

/* --- completions --- */

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
static void words(void) {
  puts("_attend_words() {\n  case $1:$2 in");
  fputs("    :) printf '%s\\n'", stdout);
  for (size_t c = 0; command_at(c) != NULL; c++) {
    Text text = {0};
    append(&text, "%s:%s", command_at(c)->name, command_at(c)->summary);
    shell_word(text.data);
  }
  puts(" ;;");
  for (size_t c = 0; command_at(c) != NULL; c++) shell_command(command_at(c));
  puts("  esac\n}");
}

/* --- tables that hold together --- */

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
  } pages[] = {{"@man-commands@\n", man_commands},
               {"@man-options@\n", man_options},
               {"@man-shared@\n", man_shared},
               {"@words@\n", words}};
  char line[TEXT_SIZE];
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
