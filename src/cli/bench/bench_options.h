/* bench_options.h - what `attend bench` and `attend compare` were asked for.
 *
 * Everything that can be refused is refused here, before anything is measured.
 */
#ifndef ATTEND_SRC_CLI_BENCH_BENCH_OPTIONS_H
#define ATTEND_SRC_CLI_BENCH_BENCH_OPTIONS_H

#include "bench/results.h"
#include "cli/cli.h"
#include "cli/util/model_choice.h"

typedef struct BenchOptions {
  CommonOptions common;
  DimensionOptions dimensions; /* bench: of one more model */
  ModelChoice choice;          /* compare: of the only one */
  ModelList models;
  SizeList tokens, threads;
  ChoiceList paths;      /* AttendPath */
  ChoiceList precisions; /* AttendPrecision, of the tiled path */
  /* Paths with their precisions, as the config has them. */
  AttendPath config_paths[BENCH_PATHS_MAX];
  AttendPrecision config_precisions[BENCH_PATHS_MAX];
  BenchConfig config; /* what is no list, until bench_fill_config() */
  size_t seed;
  bool prefill, decode, bidirectional, csv, json;
  const char *configs[OPTION_LIST_MAX];  /* files that are read */
  size_t config_places[OPTION_LIST_MAX]; /* and where in models each one's is */
  size_t config_count;
  const char *output, *plot; /* null: not given */
  bool kernels;              /* the kernels by themselves, in place of layers */
} BenchOptions;

/* Rows of both commands, of BenchOptions: how it is measured, and where the report goes. */
extern const Option bench_measuring_options[], bench_output_options[];

/* One row of both: layer or core. */
extern const Choices bench_parts;

/* Lengths where --tokens is not given, and models where there are none. */
#define BENCH_PREFILL_TOKENS "128,512,1024,2048"
#define BENCH_DECODE_TOKENS "512,2048,8192"
#define BENCH_MODELS "qwen2.5-0.5b,llama-7b"

#define BENCH_EXIT_STATUS                                                                          \
  "Exit status: 0; 1 if a row failed or a file could not be read or written; 2 for wrong usage; "  \
  "130 if Ctrl-C ended it (143: SIGTERM), after the rows measured so far are printed."

/* Refuses what no table can say, and puts defaults where lists are empty. EXIT_SUCCESS, or an exit
 * status with the sentence printed. */
int bench_complete_options(BenchOptions *options);

/* Completes options->config, which points into *options. Called after the core of OpenBLAS is
 * settled, because OpenMP's number is that of the process that measures. */
void bench_fill_config(BenchOptions *options);

#endif
