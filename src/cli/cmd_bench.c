/* cmd_bench.c - `attend bench`: models by lengths by threads by paths, timed and verified; or the
 * kernels by themselves.
 *
 * Owns the command's order of events and its exit status: options first (bench_options.h), then the
 * core of OpenBLAS is settled (which may start the tool again), then the files are opened. The
 * measuring itself is bench/sweep.h and bench/kernel_sweep.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/interrupt.h"
#include "bench/kernel_sweep.h"
#include "bench/report.h"
#include "bench/report_kernels.h"
#include "bench/report_plot.h"
#include "bench/sweep.h"
#include "cli/bench_options.h"
#include "cli/blas_core.h"
#include "cli/cli.h"
#include "cli/info_report.h"

static int finish_output(const BenchOptions *options, OutputFile *output) {
  if (!options->output) return finish_stdout();
  if (output_file_commit(output)) return EXIT_SUCCESS;
  return failure("%s could not be written: %s.", options->output, strerror(errno));
}

static int write_report(const BenchRun *run, const BenchOptions *options, OutputFile *output) {
  FILE *const stream = options->output ? output->stream : stdout;
  if (options->form != FORM_JSON)
    (options->form == FORM_CSV ? report_csv : report_table)(run, stream);
  else if (!report_json(run, stream))
    return failure("memory for the report is missing.");
  return finish_output(options, output);
}

static int write_kernels(const KernelRun *run, const BenchOptions *options, OutputFile *output) {
  FILE *const stream = options->output ? output->stream : stdout;
  if (options->form != FORM_JSON)
    (options->form == FORM_CSV ? report_kernels_csv : report_kernels_table)(run, stream);
  else if (!report_kernels_json(run, stream))
    return failure("memory for the report is missing.");
  return finish_output(options, output);
}

static int write_plot(const BenchRun *run, const BenchOptions *options, ReportPlot *plot) {
  switch (report_plot_write(plot, run)) {
  case PLOT_DRAWN:
    return EXIT_SUCCESS;
  case PLOT_NO_GNUPLOT:
    notice("%s was not drawn, because gnuplot is not installed; its figures are in %s.",
           options->plot, plot->data_path);
    return EXIT_SUCCESS;
  case PLOT_UNWRITABLE:
    return failure("%s could not be written: %s.", options->plot, strerror(errno));
  default:
    return failure("%s was not drawn, because gnuplot failed; its figures are in %s.",
                   options->plot, plot->data_path);
  }
}

static int measure(const BenchOptions *options, OutputFile *output, ReportPlot *plot) {
  BenchRun run;
  if (!sweep_open(&options->config, &run))
    return failure("memory for the list of rows is missing.");
  run.blas_threading = info_threading_name(run.machine.blas_threading);
  sweep_measure(&run);

  int status = write_report(&run, options, output);
  if (options->plot && write_plot(&run, options, plot) != EXIT_SUCCESS) status = EXIT_FAILURE;
  const size_t failed = run_count(&run, BENCH_FAILED);
  if (failed > 0)
    status = failure("%zu of %zu rows failed; the report says why.", failed, run.row_count);
  if (run.interrupted) {
    notice("interrupted with %zu of %zu rows not reached.", run_count(&run, BENCH_PENDING),
           run.row_count);
    status = EXIT_INTERRUPTED;
  }
  sweep_close(&run);
  return status;
}

static int measure_kernels(const BenchOptions *options, OutputFile *output) {
  KernelRun run;
  if (!kernel_sweep_open(&options->config, &run))
    return failure("memory for the list of kernels is missing.");
  int status = EXIT_SUCCESS;
  if (!kernel_sweep_measure(&run))
    status = failure("memory for the operands of the kernels is missing.");
  else
    status = write_kernels(&run, options, output);
  if (run.interrupted) {
    notice("interrupted; kernels that were not reached are left out.");
    status = EXIT_INTERRUPTED;
  }
  kernel_sweep_close(&run);
  return status;
}

static int open_files_and_measure(const BenchOptions *options) {
  OutputFile output = {0};
  ReportPlot plot = {0};
  const char *refused = options->output;
  if ((options->output && !output_file_open(&output, options->output)) ||
      (options->plot && !report_plot_open(&plot, options->plot, &refused))) {
    const int error = errno;
    output_file_discard(&output);
    return failure("%s cannot be written: %s.", refused, strerror(error));
  }
  const int status =
      options->kernels ? measure_kernels(options, &output) : measure(options, &output, &plot);
  output_file_discard(&output);
  report_plot_discard(&plot);
  return status;
}

int cmd_bench(int argc, char **argv) {
  BenchOptions options;
  const int read = bench_read_options(argc, argv, &options);
  if (read != EXIT_SUCCESS) return read;
  if (options.help) {
    bench_print_help();
    return finish_stdout();
  }
  const int settled = blas_core_settle(options.common.blas_core, !options.common.no_restart, argv);
  if (settled != EXIT_SUCCESS) return settled;
  bench_fill_config(&options);
  return open_files_and_measure(&options);
}
