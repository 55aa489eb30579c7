/* bench_options.h - what `attend bench` was asked for.
 *
 * Everything that can be refused is refused here, before anything is measured.
 */
#ifndef ATTEND_SRC_CLI_BENCH_OPTIONS_H
#define ATTEND_SRC_CLI_BENCH_OPTIONS_H

#include "bench/results.h"
#include "cli/options.h"

/* Codes of the options; a command that measures layers makes its table of some of them. */
enum {
  OPTION_MODEL = OPTION_FIRST_OWN,
  OPTION_CONFIG,
  OPTION_TOKENS,
  OPTION_PATHS,
  OPTION_THREADS,
  OPTION_ISA,
  OPTION_BATCH,
  OPTION_PREFILL,
  OPTION_DECODE,
  OPTION_CHUNK,
  OPTION_LAYER,
  OPTION_PART,
  OPTION_BIDIRECTIONAL,
  OPTION_REPEAT,
  OPTION_TIME_LIMIT,
  OPTION_MEMORY_LIMIT,
  OPTION_YARDSTICK_TIME,
  OPTION_SEED,
  OPTION_CSV,
  OPTION_JSON,
  OPTION_OUTPUT,
  OPTION_PLOT,
  OPTION_EXPLAIN,
  OPTION_KERNELS,
  OPTION_PRECISION,
  OPTION_STORAGE,
};

typedef enum Form { FORM_TABLE, FORM_CSV, FORM_JSON } Form;

typedef struct BenchOptions {
  CommonOptions common;
  DimensionOptions dimensions;
  ModelList models;
  SizeList tokens, threads;
  PathList paths;
  PrecisionList precisions; /* of the tiled path */
  /* Paths with their precisions, as the config has them. */
  AttendPath config_paths[BENCH_PATHS_MAX];
  AttendPrecision config_precisions[BENCH_PATHS_MAX];
  BenchConfig config; /* what is no list, until bench_fill_config() */
  size_t seed;
  Form form;
  bool prefill, decode, csv, json;       /* given, to refuse two of a kind */
  const char *configs[OPTION_LIST_MAX];  /* files that are read */
  size_t config_places[OPTION_LIST_MAX]; /* and where in models each one's is */
  size_t config_count;
  const char *output, *plot; /* null: not given */
  bool kernels;              /* the kernels by themselves, in place of layers */
  bool help;                 /* print the help and nothing else */
} BenchOptions;

/* Reads the arguments. EXIT_SUCCESS, or EXIT_USAGE with the sentence printed. */
int bench_read_options(int argc, char **argv, BenchOptions *options);

/* The steps of it, for another command with a table of its own: before the first option; an option
 * of any code above or of options.h (false, with the sentence printed, if its value is wrong). */
void bench_set_defaults(BenchOptions *options);
bool bench_take_option(BenchOptions *options, int code, const char *value);

/* Puts defaults where lists are empty. False, with the sentence printed, for a combination that
 * makes no sense. */
bool bench_complete_options(BenchOptions *options);

void bench_print_help(void);

/* Completes options->config, which points into *options. Called after the core of OpenBLAS is
 * settled, because OpenMP's number is that of the process that measures. */
void bench_fill_config(BenchOptions *options);

#endif
