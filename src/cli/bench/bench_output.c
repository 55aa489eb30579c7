/* bench_output.c - owns the files of a run and the sentences on what became of them. */
#include "cli/bench/bench_output.h"

#include <errno.h>
#include <string.h>

#include "bench/interrupt.h"
#include "cli/cli.h"

int bench_files_open(const BenchOptions *options, BenchFiles *files) {
  const char *refused = options->output;
  *files = (BenchFiles){.options = options};
  if ((!options->output || output_file_open(&files->output, options->output)) &&
      (!options->plot || report_plot_open(&files->plot, options->plot, &refused)))
    return EXIT_SUCCESS;
  const int error = errno;
  output_file_discard(&files->output);
  return failure("%s cannot be written: %s.", refused, strerror(error));
}

void bench_files_discard(BenchFiles *files) {
  output_file_discard(&files->output);
  report_plot_discard(&files->plot);
}

FILE *bench_files_stream(const BenchFiles *files) {
  return files->options->output ? files->output.stream : stdout;
}

int bench_files_finish(BenchFiles *files) {
  if (!files->options->output) return finish_stdout();
  if (output_file_commit(&files->output)) return EXIT_SUCCESS;
  return failure("%s could not be written: %s.", files->options->output, strerror(errno));
}

int bench_files_plot(BenchFiles *files, const BenchRun *run) {
  const char *const path = files->options->plot;
  if (!path) return EXIT_SUCCESS;
  switch (report_plot_write(&files->plot, run)) {
  case PLOT_DRAWN:
    return EXIT_SUCCESS;
  case PLOT_NO_GNUPLOT:
    notice("%s was not drawn, because gnuplot is not installed; its figures are in %s.", path,
           files->plot.data_path);
    return EXIT_SUCCESS;
  case PLOT_UNWRITABLE:
    return failure("%s could not be written: %s.", path, strerror(errno));
  default:
    return failure("%s was not drawn, because gnuplot failed; its figures are in %s.", path,
                   files->plot.data_path);
  }
}

int bench_run_status(const BenchRun *run, int status) {
  const size_t failed = run_count(run, BENCH_FAILED);
  if (failed > 0)
    status = failure("%zu of %zu rows failed; the report says why.", failed, run->row_count);
  if (run->interrupted) {
    notice("interrupted with %zu of %zu rows not reached.", run_count(run, BENCH_PENDING),
           run->row_count);
    status = interrupt_status();
  }
  return status;
}
