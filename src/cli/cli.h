/* cli.h - a command of the tool, as one record.
 *
 * A command is a file cmd_<name>.c with its table of options, its record <name>_command and what
 * it does; its name is listed once, below. Parsing, help, man page and completions follow from the
 * record. A command returns the exit status: 0, or EXIT_FAILURE (1) when it could not do what was
 * asked, or EXIT_USAGE (2) when what was asked makes no sense. It has printed its sentence by then.
 */
#ifndef ATTEND_SRC_CLI_CLI_H
#define ATTEND_SRC_CLI_CLI_H

#include "cli/message.h"
#include "cli/option_table.h"

typedef struct Command Command;

/* The command line of a command, read. */
typedef struct CommandLine {
  const Command *command;
  void *options;       /* the command's own struct, filled by its table */
  const char *operand; /* the argument that is no option; null: none */
  char **argv;         /* all arguments, argv[0] the command's name, ended by null */
  OptionRows rows;
  bool given[OPTION_ROWS_MAX]; /* whether each row's option is among the arguments */
  bool help;                   /* asked for, in place of all that */
} CommandLine;

struct Command {
  const char *name;
  const char *summary;  /* one line, for the list of commands */
  const char *synopsis; /* what follows the name, one form a line */
  const char *about;    /* a paragraph for the help; further ones behind '\n' */
  const Option *options;
  size_t options_size; /* of the struct that they fill */
  const char *operand; /* the one argument that is no option, as the help calls it; null: none */
  const char *missing; /* the sentence for its absence; null: it may be left out */
  const Choices *operands;        /* words that it may be among others; null: none */
  OptionRule needs[OPTION_RULES]; /* NEEDS: options without which there is nothing to do */
  const char *ending;             /* a paragraph behind the options; null: none */
  int (*run)(const CommandLine *line);
};

/* Reads the arguments into `options`, which are zeros, and into *line: defaults, then values, then
 * the rules of the table. EXIT_SUCCESS; or an exit status with the sentence printed. */
int command_line_read(const Command *command, int argc, char **argv, void *options,
                      CommandLine *line);

/* Whether the option stood on the command line; `name` is in the table. */
bool option_given(const CommandLine *line, const char *name);

/* The commands, in the order of the list. A new one is one more X. */
#define COMMANDS(X) X(bench) X(compare) X(explain) X(info) X(inspect) X(run) X(shapes)

#define DECLARE_COMMAND(name) extern const Command name##_command;
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

/* The commands by number; null beyond. */
const Command *command_at(size_t index);

#endif
