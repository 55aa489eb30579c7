/* run_options.h - what `attend run` was asked for.
 *
 * Everything that the words of the command line decide is refused here, before a file is opened.
 */
#ifndef ATTEND_SRC_CLI_RUN_OPTIONS_H
#define ATTEND_SRC_CLI_RUN_OPTIONS_H

#include "cli/util/model_choice.h"

typedef struct RunOptions {
  CommonOptions common;
  ModelChoice model;
  const char *weights; /* null: random ones */
  size_t layer, seed;
  const char *input; /* null: random numbers */
  size_t tokens;     /* of the random input */
  /* Null where not asked for. */
  const char *output, *cache, *intermediates, *save_weights;
  AttendSettings settings;
  AttendStorage storage; /* of the weights and the cache */
  bool help;             /* print the help and nothing else */
} RunOptions;

/* Reads the arguments. EXIT_SUCCESS, or EXIT_USAGE with the sentence printed. */
int run_read_options(int argc, char **argv, RunOptions *options);

void run_print_help(void);

#endif
