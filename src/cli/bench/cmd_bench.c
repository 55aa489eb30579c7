/* cmd_bench.c - `attend bench`: models by lengths by threads by paths, timed and verified; or the
 * kernels by themselves.
 *
 * Owns the command's order of events and its exit status: options first (bench_options.h), then the
 * core of OpenBLAS is settled (which may start the tool again), then the files are opened. From
 * before that until they are in their places Ctrl-C ends the measuring and not the tool, so that
 * whatever it writes is whole. The measuring itself is bench/sweep.h and bench/kernel_sweep.h.
 */
#include <stdio.h>

#include "bench/interrupt.h"
#include "bench/kernel_sweep.h"
#include "bench/sweep.h"
#include "cli/bench/bench_output.h"
#include "cli/bench/report.h"
#include "cli/bench/report_kernels.h"
#include "cli/cli.h"
#include "cli/info/info_report.h"
#include "cli/util/blas_core.h"

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

static int measure(const BenchOptions *options, BenchFiles *files) {
  BenchRun run;
  if (!sweep_open(&options->config, &run))
    return failure("memory for the list of rows is missing.");
  run.blas_threading = info_threading_name(run.machine.blas_threading);
  sweep_measure(&run);
  int status = write_report(&run, options->form, files);
  if (bench_files_plot(files, &run) != EXIT_SUCCESS) status = EXIT_FAILURE;
  status = bench_run_status(&run, status);
  sweep_close(&run);
  return status;
}

static int measure_kernels(const BenchOptions *options, BenchFiles *files) {
  KernelRun run;
  if (!kernel_sweep_open(&options->config, &run))
    return failure("memory for the list of kernels is missing.");
  int status = EXIT_SUCCESS;
  if (!kernel_sweep_measure(&run))
    status = failure("memory for the operands of the kernels is missing.");
  else
    status = write_kernels(&run, options->form, files);
  if (run.interrupted) {
    notice("interrupted; kernels that were not reached are left out.");
    status = interrupt_status();
  }
  kernel_sweep_close(&run);
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
  interrupt_catch();
  BenchFiles files;
  int status = bench_files_open(&options, &files);
  if (status == EXIT_SUCCESS) {
    status = (options.kernels ? measure_kernels : measure)(&options, &files);
    bench_files_discard(&files);
  }
  interrupt_release();
  return status;
}
