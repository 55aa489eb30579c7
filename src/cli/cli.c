/* cli.c - the tool's entry: the table of subcommands, its help and its version.
 *
 * Owns what stands before a command's name on the command line; everything after it belongs to the
 * command. Does no work of its own, so that `attend --help` runs on any machine.
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "attend/attend.h"
#include "cli/option_pages.h"

#define POINT_TO_COMMAND(name) &name##_command,
static const Command *const commands[] = {COMMANDS(POINT_TO_COMMAND) NULL};
#undef POINT_TO_COMMAND

enum { COMMAND_COUNT = sizeof commands / sizeof *commands - 1 };

const Command *command_at(size_t index) {
  return index < COMMAND_COUNT ? commands[index] : NULL;
}

static const char *command_name_at(const void *context, size_t index) {
  (void)context;
  return index < COMMAND_COUNT ? commands[index]->name : NULL;
}

static const Command *find_command(const char *name) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (strcmp(commands[i]->name, name) == 0) return commands[i];
  }
  return NULL;
}

static void print_help(FILE *file) {
  fputs("attend - multi-head attention layers on a CPU: measure them, and see what they run on\n"
        "\n"
        "Usage: attend COMMAND [OPTION...]\n"
        "       attend COMMAND --help\n"
        "       attend --help | --version\n"
        "\n"
        "Commands:\n",
        file);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    fprintf(file, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
  }
}

/* Writes the commands as "bench, info" into text. */
static void list_commands(char *text, size_t size) {
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < COMMAND_COUNT && used < size; i++) {
    const int length =
        snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", commands[i]->name);
    used += (size_t)length;
  }
}

static int unknown_command(const char *name) {
  char names[256];
  list_commands(names, sizeof names);
  const char *nearest = nearest_name(name, command_name_at, NULL);
  if (nearest != NULL) {
    return usage_error("there is no command \"%s\"; did you mean %s? The commands are: %s.", name,
                       nearest, names);
  }
  return usage_error("there is no command \"%s\"; the commands are: %s.", name, names);
}

static int start(const Command *command, int argc, char **argv) {
  void *const options = calloc(1, command->options_size);
  if (options == NULL) return failure("memory for the options is missing.");
  CommandLine line;
  int status = command_line_read(command, argc, argv, options, &line);
  if (status == EXIT_SUCCESS && line.help) {
    pages_print_help(command);
    status = finish_stdout();
  } else if (status == EXIT_SUCCESS) {
    status = command->run(&line);
  }
  free(options);
  return status;
}

/* `attend help` and `attend help COMMAND` do what --help does. */
static int help(int argc, char **argv) {
  if (argc < 2) {
    print_help(stdout);
    return finish_stdout();
  }
  const Command *command = find_command(argv[1]);
  if (command == NULL) return unknown_command(argv[1]);
  pages_print_help(command);
  return finish_stdout();
}

int main(int argc, char **argv) {
  if (argc < 2) {
    print_help(stderr);
    return EXIT_USAGE;
  }
  /* A file that grows beyond the user's limit is then an error like a full disk, and leaves no
   * trace. */
  signal(SIGXFSZ, SIG_IGN);
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
    print_help(stdout);
    return finish_stdout();
  }
  if (strcmp(name, "help") == 0) return help(argc - 1, argv + 1);
  if (strcmp(name, "--version") == 0) {
    printf("attend %s\n", attend_version());
    return finish_stdout();
  }
  /* The build makes the man page and the completions by this. */
  if (strcmp(name, "--fill") == 0 && argc == 3) return pages_fill(argv[2]);
  if (name[0] == '-') {
    return usage_error("\"%s\" stands where a command's name belongs; attend --help lists them.",
                       name);
  }
  const Command *command = find_command(name);
  if (command == NULL) return unknown_command(name);
  return start(command, argc - 1, argv + 1);
}
