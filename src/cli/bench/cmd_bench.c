/* cmd_bench.c - `attend bench`: models by lengths by threads by paths, timed and verified; or the
 * kernels by themselves.
 *
 * Owns the command's options, its order of events and its exit status: options first, then the core
 * of OpenBLAS is settled (which may start the tool again), then the files are opened. Ctrl-C is
 * caught from before that until the files are in their places: it ends the measuring and not the
 * tool, so that every file is whole. The measuring itself is bench/sweep.h and
 * bench/kernel_sweep.h.
 */
#include <stdio.h>

#include "bench/interrupt.h"
#include "bench/kernel_sweep.h"
#include "bench/sweep.h"
#include "cli/bench/bench_output.h"
#include "cli/bench/progress_line.h"
#include "cli/bench/report.h"
#include "cli/bench/report_kernels.h"
#include "cli/cli.h"
#include "cli/info/info_report.h"
#include "cli/util/blas_core.h"
#include "cli/util/score_options.h"

typedef enum Form { FORM_TABLE, FORM_CSV, FORM_JSON } Form;

/* Remembers the file beside its model; `field` is all of the options. */
static int read_config(const Option *option, const char *text, void *field) {
  BenchOptions *const options = field;
  ModelList *const models = &options->models;
  if (models->count == OPTION_LIST_MAX)
    return usage_error("--%s: there are more than %d models.", option->name, OPTION_LIST_MAX);
  const int status = model_read_config(text, &models->items[models->count]);
  if (status != EXIT_SUCCESS) return status;
  options->config_places[options->config_count] = models->count++;
  options->configs[options->config_count++] = text;
  return EXIT_SUCCESS;
}

#define OPTIONS BenchOptions
static const Option options_table[] = {
    {HEADING("What is measured (lists are separated by commas)")},
    {"model", "NAME,...", MODELS(models), .derived = BENCH_MODELS,
     .help = "presets; `attend info --models` lists them"},
    {"config", "FILE", read_config, .help = "a model's Hugging Face config.json; may be repeated"},
    {GROUP(dimensions, dimension_options)},
    {"tokens", "N,...", SIZES(tokens, 1, TOKENS_MAX),
     .derived = BENCH_PREFILL_TOKENS "; with --decode " BENCH_DECODE_TOKENS,
     .help = "tokens of a prefill, or keys that a decode step sees"},
    {"paths", "PATH,...", CHOICES(paths, path_choices), .initial = "tiled,blas,naive",
     .help = "paths to time"},
    {"threads", "T,...", SIZES(threads, 1, THREADS_MAX), .derived = "OpenMP's number",
     .help = "threads"},
    {"isa", "ISA", CHOICE(config.isa, isa_choices), .initial = "auto",
     .help = "kernels of the tiled path"},
    {"precision", "PREC,...", CHOICES(precisions, precision_choices), .initial = "fp32",
     .help = "of the tiled path's products; the other paths use fp32"},
    {"storage", "STORAGE", CHOICE(config.storage, storage_choices), .initial = "auto",
     .help = "of weights and caches; auto stores them as the precision reads them"},
    {"batch", "B", SIZE(config.batch, 1, BATCH_MAX), .initial = "1", .help = "sequences"},
    {"prefill", NULL, FLAG(prefill), .help = "all tokens at once (the default)",
     .rules = {{NOT_WITH, "decode", "they are two modes"}}},
    {"decode", NULL, FLAG(decode), .help = "one token after N - 1 cached"},
    {"chunk", "C", SIZE(config.chunk, 1, TOKENS_MAX),
     .help = "prefill in calls of C tokens, with a cache",
     .rules = {{NOT_WITH, "decode", "a decode step is one token"},
               {NOT_WITH, "bidirectional", "a chunk cannot see the tokens of later ones"}}},
    {"part", "PART", CHOICE(config.part, bench_parts), .initial = "layer",
     .help = "the whole layer, or its core: attention without the projections"},
    {"layer", "L", SIZE(config.layer, 0, ATTEND_MODEL_LAYERS - 1), .initial = "0",
     .help = "layer of each model, counted from 0; its window is used"},
    {"bidirectional", NULL, FLAG(bidirectional), .help = "no causal mask"},
    {GROUP(config.scores, score_options)},
    {"kernels", NULL, FLAG(kernels),
     .help = "the kernels by themselves, on one thread, in place of all that; --isa picks one "
             "(default: every usable one)",
     .rules = {{ONLY_WITH,
                "isa repeat time-limit memory-limit yardstick-time seed csv json output blas-core "
                "no-restart",
                "kernels are not layers; beside the form of the output they take --isa, --repeat "
                "and --yardstick-time"}}},
    {ROWS(bench_measuring_options)},
    {HEADING("Output")},
    {"csv", NULL, FLAG(csv), .help = "CSV in place of the table",
     .rules = {{NOT_WITH, "json", "they are two forms of one output"}}},
    {"json", NULL, FLAG(json), .help = "JSON in place of the table"},
    {"explain", NULL, FLAG(config.explain), .help = "add the plan of each row",
     .rules = {{NOT_WITH, "csv", "CSV has no place for plans; use --json or the table"}}},
    {ROWS(bench_output_options)},
    {GROUP(common, common_options)},
    {0},
};

static int write_report(const BenchRun *run, Form form, BenchFiles *files) {
  FILE *const stream = bench_files_stream(files);
  if (form != FORM_JSON)
    (form == FORM_CSV ? report_csv : report_table)(run, stream);
  else if (!report_json(run, stream))
    return failure("memory for the report is missing.");
  return bench_files_finish(files);
}

static int write_kernels(const KernelRun *run, Form form, BenchFiles *files) {
  FILE *const stream = bench_files_stream(files);
  if (form != FORM_JSON)
    (form == FORM_CSV ? report_kernels_csv : report_kernels_table)(run, stream);
  else if (!report_kernels_json(run, stream))
    return failure("memory for the report is missing.");
  return bench_files_finish(files);
}

static Form form_of(const BenchOptions *options) {
  return options->json ? FORM_JSON : options->csv ? FORM_CSV : FORM_TABLE;
}

static int measure(const BenchOptions *options, BenchFiles *files) {
  BenchRun run;
  if (!sweep_open(&options->config, &run))
    return failure("memory for the list of rows is missing.");
  run.blas_threading = info_threading_name(run.machine.blas_threading);
  ProgressLine line;
  BenchProgress progress = progress_line_open(&line);
  sweep_measure(&run, &progress);
  progress_line_close(&line);
  int status = write_report(&run, form_of(options), files);
  if (bench_files_plot(files, &run) != EXIT_SUCCESS) status = EXIT_FAILURE;
  status = bench_run_status(&run, status);
  sweep_close(&run);
  return status;
}

static int measure_kernels(const BenchOptions *options, BenchFiles *files) {
  KernelRun run;
  if (!kernel_sweep_open(&options->config, &run))
    return failure("memory for the list of kernels is missing.");
  ProgressLine line;
  BenchProgress progress = progress_line_open(&line);
  const bool measured = kernel_sweep_measure(&run, &progress);
  progress_line_close(&line);
  int status = EXIT_SUCCESS;
  if (!measured)
    status = failure("memory for the operands of the kernels is missing.");
  else
    status = write_kernels(&run, form_of(options), files);
  if (run.interrupted) {
    notice("interrupted; kernels that were not reached are left out.");
    status = interrupt_status();
  }
  kernel_sweep_close(&run);
  return status;
}

static int run(const CommandLine *line) {
  BenchOptions *const options = line->options;
  const int complete = bench_complete_options(options);
  if (complete != EXIT_SUCCESS) return complete;
  const int settled =
      blas_core_settle(options->common.blas_core, !options->common.no_restart, line->argv);
  if (settled != EXIT_SUCCESS) return settled;
  bench_fill_config(options);
  interrupt_catch();
  BenchFiles files;
  int status = bench_files_open(options, &files);
  if (status == EXIT_SUCCESS) {
    status = (options->kernels ? measure_kernels : measure)(options, &files);
    bench_files_discard(&files);
  }
  interrupt_release();
  return status;
}

const Command bench_command = {
    .name = "bench",
    .summary = "time a layer by model, length, path and threads, and check it",
    .synopsis = "[OPTION...]",
    .about =
        "Times attention layers by model, length, threads and path, holds every output against a "
        "float64 oracle, and compares with what the machine can do, measured in the same run. "
        "Without options: " BENCH_MODELS " at four lengths, in one to two minutes.",
    .options = options_table,
    .options_size = sizeof(BenchOptions),
    .ending = BENCH_EXIT_STATUS,
    .run = run,
};
