/* bench_output.h - where a run's report and picture go, and how a run ends.
 *
 * Files are opened before the measurement, so that one that cannot be written is known before
 * minutes are spent. Functions that return an exit status have printed the sentence that goes with
 * it.
 */
#ifndef ATTEND_SRC_CLI_BENCH_BENCH_OUTPUT_H
#define ATTEND_SRC_CLI_BENCH_BENCH_OUTPUT_H

#include "cli/bench/bench_options.h"
#include "cli/bench/report_plot.h"

typedef struct BenchFiles {
  const BenchOptions *options;
  OutputFile output;
  ReportPlot plot;
} BenchFiles;

/* Opens --output and --plot as far as they are given. EXIT_FAILURE leaves nothing to close. */
int bench_files_open(const BenchOptions *options, BenchFiles *files);
void bench_files_discard(BenchFiles *files);

/* Where the report is written; standard output without --output. */
FILE *bench_files_stream(const BenchFiles *files);

/* Puts the report in its place. */
int bench_files_finish(BenchFiles *files);

/* Draws the run if --plot is given. */
int bench_files_plot(BenchFiles *files, const BenchRun *run);

/* The exit status of the command: that of the files, unless a row failed or Ctrl-C ended the
 * run. */
int bench_run_status(const BenchRun *run, int status);

#endif
