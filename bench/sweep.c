/* sweep.c - owns a run's rows and yardsticks, and the order in which things are measured.
 *
 * If something cannot be set up, its rows are skipped with the reason and the sweep goes on. Only a
 * run that was interrupted leaves rows out.
 */
#include "bench/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/cpu_contention.h"
#include "bench/interrupt.h"
#include "bench/measure.h"
#include "bench/timer.h"
#include "bench/warnings.h"

/* The yardsticks are measured again when this many seconds have passed. */
#define YARDSTICK_INTERVAL 4.0

/* Rows of the model at index m from its length at index n on. */
static BenchRow *rows_at(const BenchRun *run, size_t m, size_t n) {
  const BenchConfig *const config = run->config;
  return run->rows + (m * config->token_count + n) * config->thread_count * config->path_count;
}

static bool is_serial(const BenchConfig *config, size_t path) {
  return config->serial && config->serial[path];
}

/* Numbers of threads that have limits of their own: those of the rows, and one of serial paths. */
static size_t yardstick_count(const BenchConfig *config) {
  bool serial = false;
  for (size_t p = 0; p < config->path_count; p++) serial |= is_serial(config, p);
  return config->thread_count + serial;
}

static size_t yardstick_threads(const BenchConfig *config, size_t index) {
  return index < config->thread_count ? config->threads[index] : 1;
}

static void name_rows(BenchRun *run) {
  const BenchConfig *const config = run->config;
  BenchRow *row = run->rows;
  for (size_t m = 0; m < config->model_count; m++)
    for (size_t n = 0; n < config->token_count; n++)
      for (size_t t = 0; t < config->thread_count; t++)
        for (size_t p = 0; p < config->path_count; p++) {
          const size_t limits = is_serial(config, p) ? config->thread_count : t;
          *row++ = (BenchRow){.model = &config->models[m],
                              .yardsticks = &run->yardsticks[limits],
                              .tokens = config->tokens[n],
                              .threads = yardstick_threads(config, limits),
                              .path = config->paths[p],
                              .precision = config_precision(config, p),
                              .storage = config_storage(config, p),
                              .isa = config->isa};
        }
}

bool sweep_open(const BenchConfig *config, BenchRun *run) {
  const size_t count =
      config->model_count * config->token_count * config->thread_count * config->path_count;
  *run = (BenchRun){.config = config,
                    .command = "bench",
                    .yardsticks = calloc(yardstick_count(config), sizeof *run->yardsticks),
                    .yardstick_count = yardstick_count(config),
                    .rows = calloc(count, sizeof *run->rows),
                    .row_count = count,
                    .started = time(NULL),
                    .contention_share = CONTENTION_UNKNOWN};
  if (!run->yardsticks || !run->rows) {
    sweep_close(run);
    return false;
  }
  attend_describe_machine(&run->machine);
  for (size_t t = 0; t < run->yardstick_count; t++)
    run->yardsticks[t].threads = yardstick_threads(config, t);
  name_rows(run);
  return true;
}

void sweep_close(BenchRun *run) {
  for (size_t r = 0; run->rows && r < run->row_count; r++) {
    samples_free(&run->rows[r].samples);
    free(run->rows[r].plan_text);
  }
  free(run->rows);
  free(run->yardsticks);
  *run = (BenchRun){0};
}

/* Measures every number of threads and keeps the best so far. Repeated after each model that took
 * long, and at the end if a row beat a limit, because a limit that was measured while another
 * program ran is too low. */
static void measure_yardsticks(BenchRun *run, const BenchProgress *progress) {
  const double seconds = run->config->yardstick_seconds;
  for (size_t t = 0; t < run->yardstick_count && !interrupt_seen(); t++) {
    Yardsticks *const best = &run->yardsticks[t];
    const size_t threads = best->threads;
    progress_show(progress, (BenchMoment){BENCH_STEP_LIMITS, .number = threads});
    for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT && !interrupt_seen(); isa++) {
      if (!run_needs_peak(run, (AttendIsa)isa)) continue;
      best->fma_gflops[isa] =
          fmax(best->fma_gflops[isa], yardstick_peak((AttendIsa)isa, threads, seconds));
    }
    if (!interrupt_seen())
      best->sgemm_gflops = fmax(best->sgemm_gflops, yardstick_sgemm(threads, seconds));
    if (!interrupt_seen())
      best->read_gbps = fmax(best->read_gbps, yardstick_read(threads, seconds));
  }
}

static void skip_rows(BenchRow *rows, size_t count, const char *reason, BenchProgress *progress) {
  for (size_t r = 0; r < count; r++) {
    rows[r].status = BENCH_SKIPPED;
    snprintf(rows[r].reason, sizeof rows[r].reason, "%s", reason);
  }
  progress->done += count;
}

/* All threads and paths of one model at one length. */
static void measure_length(BenchRun *run, const ModelWeights *weights, size_t m, size_t n,
                           PathRate *rates, BenchProgress *progress) {
  const BenchConfig *const config = run->config;
  BenchRow *const rows = rows_at(run, m, n);
  char reason[BENCH_REASON_SIZE];
  Workload workload;
  progress_show(progress, (BenchMoment){BENCH_STEP_INPUTS, .row = rows});
  if (!workload_open(config, rows->model, weights, rows->tokens, &workload, reason)) {
    skip_rows(rows, config->thread_count * config->path_count, reason, progress);
    return;
  }
  Reference reference = {0};
  for (size_t t = 0; t < config->thread_count && !interrupt_seen(); t++) {
    const size_t first = t * config->path_count;
    const MeasureGroup group = {.config = config,
                                .workload = &workload,
                                .isa_best = run->machine.isa_best,
                                .reference = &reference,
                                .rates = rates + first,
                                .rows = rows + first,
                                .progress = progress};
    measure_group(&group);
  }
  reference_close(&reference);
  workload_close(&workload);
}

static void measure_model(BenchRun *run, size_t m, BenchProgress *progress) {
  const BenchConfig *const config = run->config;
  const AttendModel *const model = &config->models[m];
  const size_t groups = config->thread_count * config->path_count;
  char reason[BENCH_REASON_SIZE] = "there is no memory to keep the rates of its paths";
  ModelWeights weights = {0};
  PathRate *const rates = calloc(groups, sizeof *rates);
  progress_show(progress, (BenchMoment){BENCH_STEP_WEIGHTS, .row = rows_at(run, m, 0)});
  if (rates && weights_open(config, model, &weights, reason)) {
    for (size_t n = 0; n < config->token_count && !interrupt_seen(); n++)
      measure_length(run, &weights, m, n, rates, progress);
  } else {
    skip_rows(rows_at(run, m, 0), config->token_count * groups, reason, progress);
  }
  weights_close(&weights);
  free(rates);
}

void sweep_measure(BenchRun *run, BenchProgress *progress) {
  const double start = timer_seconds();
  const CpuContentionClock before = cpu_contention_clock();
  progress->done = 0;
  progress->total = run->row_count;
  measure_yardsticks(run, progress);
  double measured_at = timer_seconds();
  for (size_t m = 0; m < run->config->model_count && !interrupt_seen(); m++) {
    measure_model(run, m, progress);
    if (timer_seconds() - measured_at < YARDSTICK_INTERVAL) continue;
    measure_yardsticks(run, progress);
    measured_at = timer_seconds();
  }
  if (run_beats_limits(run)) measure_yardsticks(run, progress);
  const CpuContentionClock after = cpu_contention_clock();
  run->contention_share = contention_share(&before, &after);
  run->seconds = timer_seconds() - start;
  run->interrupted = interrupt_seen();
}
