/* cmd_compare.c - `attend compare`: naive on one thread, naive with OpenMP, blas and tiled, side by
 * side.
 *
 * Owns the options, the contenders and the order of events. A comparison is a run of the benchmark
 * (bench/sweep.h) with one model and one number of threads T: the naive path on one thread, which
 * every speed-up refers to, then naive, blas and tiled on T threads.
 */
#include <stdio.h>

#include "bench/interrupt.h"
#include "bench/sweep.h"
#include "cli/bench/bench_output.h"
#include "cli/bench/progress_line.h"
#include "cli/cli.h"
#include "cli/compare/compare_report.h"
#include "cli/info/info_report.h"
#include "cli/util/blas_core.h"

#define MODEL_DEFAULT "qwen2.5-0.5b"

#define OPTIONS BenchOptions
static const Option options_table[] = {
    {HEADING("What is compared (without a model, " MODEL_DEFAULT ")")},
    {GROUP(choice, model_options)},
    {"tokens", "N,...", SIZES(tokens, 1, TOKENS_MAX), .initial = "128,512,1024",
     .help = "numbers of tokens, separated by commas"},
    {"threads", "T", SIZES(threads, 1, THREADS_MAX), .items = 1, .derived = "OpenMP's number",
     .help = "threads of all contenders but the first"},
    {"batch", "B", SIZE(config.batch, 1, BATCH_MAX), .initial = "1", .help = "sequences"},
    {"part", "PART", CHOICE(config.part, bench_parts), .initial = "layer",
     .help = "the whole layer, or its core: attention without the projections"},
    {"bidirectional", NULL, FLAG(bidirectional), .help = "no causal mask"},
    {ROWS(bench_measuring_options)},
    {HEADING("Output")},
    {"csv", NULL, FLAG(csv),
     .help = "CSV in place of the table; its last column has the sentences"},
    {ROWS(bench_output_options)},
    {GROUP(common, common_options)},
    {0},
};

static int compare(const BenchOptions *options, BenchFiles *files) {
  BenchRun run;
  if (!sweep_open(&options->config, &run))
    return failure("memory for the list of rows is missing.");
  run.command = "compare";
  run.blas_threading = info_threading_name(run.machine.blas_threading);
  ProgressLine line;
  BenchProgress progress = progress_line_open(&line);
  sweep_measure(&run, &progress);
  progress_line_close(&line);
  (options->csv ? compare_print_csv : compare_print_table)(&run, bench_files_stream(files));
  int status = bench_files_finish(files);
  if (bench_files_plot(files, &run) != EXIT_SUCCESS) status = EXIT_FAILURE;
  status = bench_run_status(&run, status);
  sweep_close(&run);
  return status;
}

static int read_model_of(BenchOptions *options) {
  AttendModel *const model = &options->models.items[0];
  options->models.count = 1;
  if (!model_is_chosen(&options->choice)) options->choice.named = attend_find_model(MODEL_DEFAULT);
  if (options->choice.config != NULL)
    options->configs[options->config_count++] = options->choice.config;
  return model_read_chosen(&options->choice, model);
}

/* With one thread the second naive contender would be the first again and is left out. */
static void fill_config(BenchOptions *options) {
  static const AttendPath contenders[] = {ATTEND_PATH_NAIVE, ATTEND_PATH_NAIVE, ATTEND_PATH_BLAS,
                                          ATTEND_PATH_TILED};
  static const bool serial[] = {true, false, false, false};
  bench_fill_config(options);
  const bool one = options->threads.items[0] == 1;
  options->config.paths = one ? contenders + 1 : contenders;
  options->config.path_count = one ? 3 : 4;
  options->config.precisions = NULL;
  options->config.serial = one ? NULL : serial;
}

static int run(const CommandLine *line) {
  BenchOptions *const options = line->options;
  int status = read_model_of(options);
  if (status == EXIT_SUCCESS) status = bench_complete_options(options);
  if (status == EXIT_SUCCESS)
    status = blas_core_settle(options->common.blas_core, !options->common.no_restart, line->argv);
  if (status != EXIT_SUCCESS) return status;
  fill_config(options);
  interrupt_catch();
  BenchFiles files;
  status = bench_files_open(options, &files);
  if (status == EXIT_SUCCESS) {
    status = compare(options, &files);
    bench_files_discard(&files);
  }
  interrupt_release();
  return status;
}

const Command compare_command = {
    .name = "compare",
    .summary = "naive, blas and tiled side by side, and what limits each",
    .synopsis = "[OPTION...]",
    .about =
        "Runs one layer through the naive path on one thread, the naive path with OpenMP, the blas "
        "path and the tiled path, and says for each what limits it, from what was measured: shares "
        "of the machine's limits, time by phase, and bytes of score matrices against the caches. "
        "Every output is held against a float64 oracle.",
    .options = options_table,
    .options_size = sizeof(BenchOptions),
    .ending = BENCH_EXIT_STATUS,
    .run = run,
};
