/* cmd_info.c - `attend info`: the processor, the kernels, OpenBLAS, and what is wrong with them.
 *
 * Owns the command's options and what it measures. A plain run measures nothing and ends at once. A
 * low core is a finding of the doctor here, and no warning on stderr repeats it; apart from that the
 * core is settled as in every command.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench/cpu_contention.h"
#include "bench/yardstick.h"
#include "cli/cli.h"
#include "cli/info/info_report.h"
#include "cli/util/probe.h"

typedef struct InfoOptions {
  CommonOptions common;
  bool json, models, measure;
  double seconds;
  size_t threads;       /* 0: OpenMP's number */
  size_t probe_threads; /* 0: not a probe */
} InfoOptions;

#define OPTIONS InfoOptions
static const Option options_table[] = {
    {"measure", NULL, FLAG(measure),
     .help = "measure FMA peak, sgemm and memory bandwidth, and what a low core of OpenBLAS costs "
             "(a few seconds)"},
    {"seconds", "S", SECONDS(seconds), .initial = "0.2",
     .help = "time of each measurement; below 0.05 it uses smaller operands"},
    {"threads", "T", SIZE(threads, 1, THREADS_MAX), .derived = "OpenMP's number",
     .help = "threads to measure with, beside 1"},
    {"models", NULL, FLAG(models), .help = "list the models that --model of other commands knows"},
    {"json", NULL, FLAG(json), .help = "print all of it, models included, as JSON"},
    {"probe-sgemm", "T", SIZE(probe_threads, 1, THREADS_MAX), .hidden = true,
     .help = "answer another process of the tool with the speed of sgemm on T threads"},
    {GROUP(common, common_options)},
    {0},
};

static void measure_limits(const AttendMachine *machine, size_t threads, double seconds,
                           InfoLimits *limits) {
  *limits = (InfoLimits){.threads = threads,
                         .sgemm_gflops = yardstick_sgemm(threads, seconds),
                         .read_gbps = yardstick_read(threads, seconds)};
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    if (machine->isa_usable[isa])
      limits->fma_gflops[isa] = yardstick_peak((AttendIsa)isa, threads, seconds);
  }
}

static void measure(const InfoOptions *options, InfoReport *report) {
  DoctorFacts *facts = &report->facts;
  const size_t threads = options->threads > 0 ? options->threads : facts->machine.openmp_threads;
  if (isatty(STDERR_FILENO)) notice("measuring; this takes a few seconds.");
  const CpuContentionClock before = cpu_contention_clock();
  measure_limits(&facts->machine, 1, options->seconds, &report->limits[0]);
  report->limit_count = 1;
  if (threads > 1) {
    measure_limits(&facts->machine, threads, options->seconds, &report->limits[1]);
    report->limit_count = 2;
  }
  const CpuContentionClock after = cpu_contention_clock();
  facts->contention_share = contention_share(&before, &after);
  /* Without the comparison the finding says that the cost was not measured; the reason is
   * printed. */
  if (blas_core_was_low(&facts->core) && facts->core.selectable) {
    probe_compare(&facts->core, threads, options->seconds, &facts->comparison);
  }
}

static int report_machine(const InfoOptions *options) {
  InfoReport report = {0};
  doctor_gather(options->threads, &report.facts);
  if (options->measure) measure(options, &report);
  doctor_examine(&report.facts, &report.doctor);
  if (options->json) {
    if (!info_print_json(&report)) return failure("memory for the report is missing.");
  } else {
    info_print_text(&report);
  }
  return finish_stdout();
}

static int run(const CommandLine *line) {
  const InfoOptions *const options = line->options;
  if (options->models && !options->json) {
    info_print_models();
    return finish_stdout();
  }
  const int settled =
      blas_core_settle_quietly(options->common.blas_core, !options->common.no_restart, line->argv);
  if (settled != EXIT_SUCCESS) return settled;
  if (options->probe_threads > 0) return probe_answer(options->probe_threads, options->seconds);
  return report_machine(options);
}

const Command info_command = {
    .name = "info",
    .summary = "describe processor and OpenBLAS, and say what is wrong with them",
    .synopsis = "[OPTION...]",
    .about = "Describes the processor, the kernels that can run on it and the OpenBLAS that was "
             "loaded, and says what is wrong with them: each finding with its cost and its cure.",
    .options = options_table,
    .options_size = sizeof(InfoOptions),
    .run = run,
};
