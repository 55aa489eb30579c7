/* cli.h - what a subcommand of the tool is.
 *
 * A command gets its own arguments, with its name as argv[0], and returns the exit status: 0, or
 * EXIT_FAILURE (1) when it could not do what was asked, or EXIT_USAGE (2) when what was asked makes
 * no sense. It has printed its sentence by then. Each command lives in cmd_<name>.c, answers
 * --help itself, and is listed once, in the table of cli.c.
 */
#ifndef ATTEND_SRC_CLI_CLI_H
#define ATTEND_SRC_CLI_CLI_H

#include "cli/message.h"

typedef struct Command {
  const char *name;
  const char *summary; /* one line, for the list of commands */
  int (*run)(int argc, char **argv);
} Command;

int cmd_bench(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_shapes(int argc, char **argv);

#endif
