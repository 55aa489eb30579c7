/* compare_options.h - the contenders of `attend compare`, and what it was asked for.
 *
 * A comparison is a run of the benchmark: one model, one number of threads T, and as paths the
 * naive one on one thread, which every speed-up refers to, then naive, blas and tiled on T threads.
 */
#ifndef ATTEND_SRC_CLI_COMPARE_OPTIONS_H
#define ATTEND_SRC_CLI_COMPARE_OPTIONS_H

#include "cli/bench/bench_options.h"

/* Reads the arguments. EXIT_SUCCESS, or EXIT_USAGE or EXIT_FAILURE with the sentence printed. */
int compare_read_options(int argc, char **argv, BenchOptions *options);

void compare_print_help(void);

/* Completes options->config after the core of OpenBLAS is settled. With one thread the second naive
 * contender would be the first again and is left out. */
void compare_fill_config(BenchOptions *options);

#endif
