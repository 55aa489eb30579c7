/* cmd_info.c - `attend info`: the processor, the kernels, OpenBLAS, and what is wrong with them.
 *
 * Owns the command's options and what it measures. A plain run measures nothing and ends at once. A
 * core that is merely low is a finding of the doctor here and not also a warning on stderr; apart
 * from that the core is settled as in every command.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/cpu_contention.h"
#include "bench/yardstick.h"
#include "cli/cli.h"
#include "cli/info/info_report.h"
#include "cli/options.h"
#include "cli/util/probe.h"

#define THREADS_MAX 1024

typedef struct InfoOptions {
  CommonOptions common;
  bool json, models, measure;
  double seconds;
  size_t threads;       /* 0: OpenMP's number */
  size_t probe_threads; /* 0: not a probe */
} InfoOptions;

enum {
  OPTION_JSON = OPTION_FIRST_OWN,
  OPTION_MODELS,
  OPTION_MEASURE,
  OPTION_SECONDS,
  OPTION_THREADS,
  OPTION_PROBE_SGEMM,
};

static const struct option info_options[] = {
    COMMON_OPTIONS,
    {"json", no_argument, NULL, OPTION_JSON},
    {"models", no_argument, NULL, OPTION_MODELS},
    {"measure", no_argument, NULL, OPTION_MEASURE},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"probe-sgemm", required_argument, NULL, OPTION_PROBE_SGEMM},
    {0},
};

static void print_help(void) {
  fputs(
      "Usage: attend info [OPTION...]\n"
      "\n"
      "Describes the processor, the kernels that can run on it and the OpenBLAS that was loaded, "
      "and\n"
      "says what is wrong with them: each finding with its cost and its cure.\n"
      "\n"
      "Options:\n"
      "  --measure              measure FMA peak, sgemm and memory bandwidth, and what a low core\n"
      "                         of OpenBLAS costs (a few seconds)\n"
      "  --seconds S            time of each of those measurements (default 0.2; below 0.05 on\n"
      "                         smaller operands)\n"
      "  --threads T            threads to measure with, beside 1 (default: OpenMP's number)\n"
      "  --models               list the models that --model of other commands knows\n"
      "  --json                 print all of it, models included, as JSON\n" COMMON_OPTIONS_HELP,
      stdout);
}

/* Stores one option. False, with the sentence printed, if its value is wrong. */
static bool take_option(InfoOptions *options, int code, const char *value) {
  switch (code) {
  case OPTION_JSON:
    options->json = true;
    return true;
  case OPTION_MODELS:
    options->models = true;
    return true;
  case OPTION_MEASURE:
    options->measure = true;
    return true;
  case OPTION_SECONDS:
    return parse_seconds("--seconds", value, &options->seconds);
  case OPTION_THREADS:
    return parse_size("--threads", value, 1, THREADS_MAX, &options->threads);
  case OPTION_PROBE_SGEMM:
    return parse_size("--probe-sgemm", value, 1, THREADS_MAX, &options->probe_threads);
  default:
    return take_common_option(&options->common, code, value) == OPTION_TAKEN;
  }
}

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

int cmd_info(int argc, char **argv) {
  InfoOptions options = {.seconds = 0.2};
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", info_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("info", code, argv, info_options);
    if (code == 'h') {
      print_help();
      return finish_stdout();
    }
    if (!take_option(&options, code, optarg)) return EXIT_USAGE;
  }
  if (optind < argc) return bad_argument("info", argv[optind]);

  if (options.models && !options.json) {
    info_print_models();
    return finish_stdout();
  }

  const int settled =
      blas_core_settle_quietly(options.common.blas_core, !options.common.no_restart, argv);
  if (settled != EXIT_SUCCESS) return settled;
  if (options.probe_threads > 0) return probe_answer(options.probe_threads, options.seconds);
  return report_machine(&options);
}
