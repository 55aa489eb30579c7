/* cmd_compare.c - `attend compare`: naive on one thread, naive with OpenMP, blas and tiled, side by
 * side.
 *
 * Owns the order of events. It is a run of bench/sweep.h with contenders of its own: measuring,
 * verifying, yardsticks and the plot are the benchmark's.
 */
#include <stdio.h>

#include "bench/interrupt.h"
#include "bench/sweep.h"
#include "cli/bench/bench_output.h"
#include "cli/cli.h"
#include "cli/compare/compare_options.h"
#include "cli/compare/compare_report.h"
#include "cli/info/info_report.h"
#include "cli/util/blas_core.h"

static int compare(const BenchOptions *options, BenchFiles *files) {
  BenchRun run;
  if (!sweep_open(&options->config, &run))
    return failure("memory for the list of rows is missing.");
  run.command = "compare";
  run.blas_threading = info_threading_name(run.machine.blas_threading);
  sweep_measure(&run);
  (options->csv ? compare_print_csv : compare_print_table)(&run, bench_files_stream(files));
  int status = bench_files_finish(files);
  if (bench_files_plot(files, &run) != EXIT_SUCCESS) status = EXIT_FAILURE;
  status = bench_run_status(&run, status);
  sweep_close(&run);
  return status;
}

int cmd_compare(int argc, char **argv) {
  BenchOptions options;
  const int read = compare_read_options(argc, argv, &options);
  if (read != EXIT_SUCCESS) return read;
  if (options.help) {
    compare_print_help();
    return finish_stdout();
  }
  const int settled = blas_core_settle(options.common.blas_core, !options.common.no_restart, argv);
  if (settled != EXIT_SUCCESS) return settled;
  compare_fill_config(&options);
  interrupt_catch();
  BenchFiles files;
  int status = bench_files_open(&options, &files);
  if (status == EXIT_SUCCESS) {
    status = compare(&options, &files);
    bench_files_discard(&files);
  }
  interrupt_release();
  return status;
}
