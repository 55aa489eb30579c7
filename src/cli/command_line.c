/* command_line.c - reads the arguments of a command by its table, and applies the table's rules.
 *
 * Owns the sentences on options that do not exist, are misused or do not go together. getopt_long()
 * splits the arguments; values are option_values.c's. --help ends the reading where it stands.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Codes for getopt_long() are row numbers from here on, above every letter. */
enum { FIRST_CODE = 256 };

typedef struct LongOptions {
  struct option options[OPTION_ROWS_MAX + 2];
} LongOptions;

static void list_long_options(const OptionRows *rows, LongOptions *list) {
  size_t count = 0;
  for (size_t i = 0; i < rows->count; i++) {
    const Option *const option = rows->rows[i].option;
    if (option->name == NULL) continue;
    list->options[count++] =
        (struct option){option->name, option->argument != NULL ? required_argument : no_argument,
                        NULL, FIRST_CODE + (int)i};
  }
  list->options[count++] = (struct option){"help", no_argument, NULL, 'h'};
  list->options[count] = (struct option){0};
}

static const char *long_option_at(const void *context, size_t index) {
  const LongOptions *const list = context;
  return list->options[index].name;
}

static size_t count_beginnings(const LongOptions *list, const char *name) {
  size_t count = 0;
  for (const struct option *o = list->options; o->name != NULL; o++) {
    count += strncmp(o->name, name, strlen(name)) == 0;
  }
  return count;
}

static int unknown_long_option(const char *command, const char *argument, const LongOptions *list) {
  char name[ATTEND_NAME_SIZE];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
  if (count_beginnings(list, name) > 1) {
    return usage_error("%s: --%s is the beginning of more than one option; write it out.", command,
                       name);
  }
  const char *const nearest = nearest_name(name, long_option_at, list);
  if (nearest != NULL) {
    return usage_error("%s: there is no option --%s; did you mean --%s?", command, name, nearest);
  }
  return usage_error("%s: there is no option --%s; attend %s --help lists them.", command, name,
                     command);
}

/* What getopt_long() answered with '?' or ':' to the argument before optind. */
static int bad_option(const char *command, int code, char **argv, const LongOptions *list) {
  const char *const argument = argv[optind - 1];
  if (code == ':') return usage_error("%s: %s needs a value.", command, argument);
  if (optopt >= FIRST_CODE || (optopt == 'h' && argument[1] == '-')) {
    return usage_error("%s: %.*s takes no value.", command, (int)strcspn(argument, "="), argument);
  }
  if (optopt == 0) return unknown_long_option(command, argument, list);
  return usage_error("%s: there is no option -%c; attend %s --help lists them.", command, optopt,
                     command);
}

static int take_operand(const Command *command, int argc, char **argv, CommandLine *line) {
  const int most = command->operand != NULL ? 1 : 0;
  const int count = argc - optind;
  if (count > most && most == 0) {
    return usage_error("%s: \"%s\" is not an option; attend %s --help lists them.", command->name,
                       argv[optind], command->name);
  }
  if (count > most) {
    return usage_error("%s: \"%s\" and \"%s\" are two arguments; give one %s.", command->name,
                       argv[optind], argv[optind + 1], command->operand);
  }
  if (count == 0 && command->missing != NULL) {
    return usage_error("%s: %s", command->name, command->missing);
  }
  line->operand = count > 0 ? argv[optind] : NULL;
  return EXIT_SUCCESS;
}

bool option_given(const CommandLine *line, const char *name) {
  const size_t row = option_find(&line->rows, name);
  return row < line->rows.count && line->given[row];
}

/* The first of these options that was given; empty: none was. */
static void find_given(const CommandLine *line, const char *names, char found[ATTEND_NAME_SIZE]) {
  while (option_next_name(&names, found)) {
    if (option_given(line, found)) return;
  }
  found[0] = '\0';
}

static bool is_among(const char *names, const char *name) {
  char other[ATTEND_NAME_SIZE];
  while (option_next_name(&names, other)) {
    if (strcmp(other, name) == 0) return true;
  }
  return false;
}

/* Writes "--a, --b or --c". */
static void list_options(const char *names, char *text, size_t size) {
  char name[ATTEND_NAME_SIZE];
  size_t used = 0;
  text[0] = '\0';
  while (used < size && option_next_name(&names, name)) {
    const char *const separator = used == 0 ? "" : *names == '\0' ? " or " : ", ";
    used += (size_t)snprintf(text + used, size - used, "%s--%s", separator, name);
  }
}

static int apart(const char *name, const char *other, const char *why) {
  return usage_error("--%s and --%s do not go together: %s.", name, other, why);
}

/* Applies one rule of an option that was given; `subject` is "--NAME", or the command. */
static int apply_rule(const CommandLine *line, const char *subject, const OptionRule *rule) {
  char other[ATTEND_NAME_SIZE], names[256];
  switch (rule->kind) {
  case NOT_WITH:
    find_given(line, rule->others, other);
    return other[0] != '\0' ? apart(subject, other, rule->why) : EXIT_SUCCESS;
  case NEEDS:
    find_given(line, rule->others, other);
    if (other[0] != '\0') return EXIT_SUCCESS;
    list_options(rule->others, names, sizeof names);
    return usage_error("%s%s needs %s: %s.", subject == line->command->name ? "" : "--", subject,
                       names, rule->why);
  case ONLY_WITH:
    for (size_t i = 0; i < line->rows.count; i++) {
      const char *const name = line->rows.rows[i].option->name;
      if (!line->given[i] || strcmp(name, subject) == 0 || is_among(rule->others, name)) continue;
      return apart(subject, name, rule->why);
    }
    return EXIT_SUCCESS;
  default:
    return EXIT_SUCCESS;
  }
}

static int apply_rules(const CommandLine *line) {
  int status = EXIT_SUCCESS;
  for (size_t i = 0; i < line->rows.count; i++) {
    const Option *const option = line->rows.rows[i].option;
    for (int r = 0; line->given[i] && r < OPTION_RULES && status == EXIT_SUCCESS; r++) {
      status = apply_rule(line, option->name, &option->rules[r]);
    }
  }
  for (int r = 0; r < OPTION_RULES && status == EXIT_SUCCESS; r++) {
    status = apply_rule(line, line->command->name, &line->command->needs[r]);
  }
  return status;
}

static void *field_of(const CommandLine *line, size_t row) {
  return (char *)line->options + line->rows.rows[row].offset;
}

static int set_defaults(const CommandLine *line) {
  int status = EXIT_SUCCESS;
  for (size_t i = 0; i < line->rows.count && status == EXIT_SUCCESS; i++) {
    const Option *const option = line->rows.rows[i].option;
    if (option->initial == NULL) continue;
    status = option->read(option, option->initial, field_of(line, i));
  }
  return status;
}

int command_line_read(const Command *command, int argc, char **argv, void *options,
                      CommandLine *line) {
  LongOptions list;
  *line = (CommandLine){.command = command, .options = options, .argv = argv};
  option_rows(command->options, &line->rows);
  list_long_options(&line->rows, &list);
  int code, status = set_defaults(line);
  opterr = 0;
  while (status == EXIT_SUCCESS &&
         (code = getopt_long(argc, argv, ":h", list.options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option(command->name, code, argv, &list);
    if (code == 'h') {
      line->help = true;
      return EXIT_SUCCESS;
    }
    const size_t row = (size_t)(code - FIRST_CODE);
    const Option *const option = line->rows.rows[row].option;
    line->given[row] = true;
    status = option->read(option, optarg, field_of(line, row));
  }
  if (status == EXIT_SUCCESS) status = take_operand(command, argc, argv, line);
  return status == EXIT_SUCCESS ? apply_rules(line) : status;
}
