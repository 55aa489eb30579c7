/* warnings.c - the thresholds from which a figure is doubted, and the wording. */
#include "bench/warnings.h"

#include <stdarg.h>
#include <stdio.h>

#include "bench/cpu_contention.h"
#include "cli/util/units.h"

/* Below this share of what as many single threads would reach, threads do not have a core each. */
#define CROWDED 0.75
/* Limit and row are both timed; this much may be chance. */
#define BEATEN 1.02
/* Of data this many times the last level of cache, so little stays there that memory is the
 * limit. */
#define CACHES_OF_MEMORY 4

static void doubt(Doubts *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void doubt(Doubts *warnings, const char *format, ...) {
  if (warnings->count == DOUBTS_MAX) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(warnings->sentences[warnings->count++], DOUBT_SIZE, format, arguments);
  va_end(arguments);
}

static const char *plural(size_t count) {
  return count == 1 ? "" : "s";
}

/* Of the fastest sample: a median can be that of a disturbed row. */
static double best_share(const BenchRow *row, double limit_seconds) {
  const double best = samples_min(&row->samples);
  return best > 0 ? limit_seconds / best : 0;
}

/* Products of bf16 may beat the fp32 peak, and data that a cache holds the memory. */
static bool beats_peak(const BenchRow *row) {
  return row->precision == ATTEND_PRECISION_FP32 &&
         best_share(row, row_compute_seconds(row)) > BEATEN;
}

static bool beats_read(const BenchRun *run, const BenchRow *row) {
  const double caches = CACHES_OF_MEMORY * (double)run->machine.l3_bytes;
  return caches > 0 && row->bytes > caches && best_share(row, row_bandwidth_seconds(row)) > BEATEN;
}

static bool sgemm_beats_peak(const BenchRun *run, const Yardsticks *limits) {
  const double peak = limits->fma_gflops[run->machine.isa_best];
  return peak > 0 && limits->sgemm_gflops > BEATEN * peak;
}

/* The row that is furthest beyond a limit, or null. */
static const BenchRow *worst_row(const BenchRun *run, double *share, bool *memory) {
  const BenchRow *worst = NULL;
  *share = 0;
  for (const BenchRow *row = run->rows; row < run->rows + run->row_count; row++) {
    const bool reads = beats_read(run, row);
    if (!reads && !beats_peak(row)) continue;
    const double seconds = reads ? row_bandwidth_seconds(row) : row_compute_seconds(row);
    if (best_share(row, seconds) <= *share) continue;
    *share = best_share(row, seconds);
    *memory = reads;
    worst = row;
  }
  return worst;
}

bool run_beats_limits(const BenchRun *run) {
  double share;
  bool memory;
  for (size_t t = 0; t < run->yardstick_count; t++)
    if (sgemm_beats_peak(run, &run->yardsticks[t])) return true;
  return worst_row(run, &share, &memory) != NULL;
}

static void warn_of_contention(const BenchRun *run, Doubts *warnings) {
  if (run->contention_share < CONTENTION_OF_NOTE) return;
  doubt(warnings,
        "other programs had %s of the time of the %zu core%s: times may be longer, and limits "
        "lower, than on a quiet machine",
        unit_share(run->contention_share).text, run->machine.cores, plural(run->machine.cores));
}

/* The limits of one thread and of most threads, null where a run has no two. */
static const Yardsticks *most_threads(const BenchRun *run, const Yardsticks **alone) {
  const Yardsticks *most = NULL;
  *alone = NULL;
  for (size_t t = 0; t < run->yardstick_count; t++) {
    const Yardsticks *const limits = &run->yardsticks[t];
    if (limits->threads == 1) *alone = limits;
    if (!most || limits->threads > most->threads) most = limits;
  }
  return most;
}

/* Threads that share cores with other programs, or with each other, say little of the paths. Loops
 * in registers have no other reason to be slower together; sgemm has, and no cause is named. */
static void doubt_threads(const BenchRun *run, Doubts *warnings) {
  const Yardsticks *alone, *const most = most_threads(run, &alone);
  if (!most) return;
  const size_t cores = run->machine.cores;
  if (most->threads > cores) {
    doubt(warnings,
          "%zu threads share %zu core%s: they wait for each other, and rows differ from "
          "run to run",
          most->threads, cores, plural(cores));
    return;
  }
  const AttendIsa isa = run->machine.isa_best;
  const double fewest = CROWDED * (double)most->threads;
  if (!alone || alone == most || alone->fma_gflops[isa] <= 0 || alone->sgemm_gflops <= 0) return;
  const double peak = most->fma_gflops[isa] / alone->fma_gflops[isa];
  const double sgemm = most->sgemm_gflops / alone->sgemm_gflops;
  if (peak < fewest)
    doubt(warnings,
          "%zu threads have %.2f times the FMA peak of one: the cores are shared, and rows differ "
          "from run to run",
          most->threads, peak);
  else if (sgemm < fewest)
    doubt(warnings,
          "sgemm on %zu threads is only %.2f times as fast as on one; shares of it say little in "
          "this run",
          most->threads, sgemm);
}

static void doubt_limits(const BenchRun *run, Doubts *warnings) {
  for (size_t t = 0; t < run->yardstick_count; t++) {
    const Yardsticks *const limits = &run->yardsticks[t];
    if (!sgemm_beats_peak(run, limits)) continue;
    doubt(warnings,
          "sgemm beats the FMA peak of %zu thread%s: the peak was held down while it was measured, "
          "and shares of it are too high",
          limits->threads, plural(limits->threads));
    return;
  }
  double share;
  bool memory;
  const BenchRow *const row = worst_row(run, &share, &memory);
  if (!row) return;
  doubt(warnings,
        "%s, N = %zu, %s has %s of the %s of %zu thread%s at best: that was held down while it was "
        "measured, and shares of it are too high",
        row->model->name, row->tokens, attend_path_name(row->path), unit_share(share).text,
        memory ? "read bandwidth" : "FMA peak", row->threads, plural(row->threads));
}

void run_warnings(const BenchRun *run, Doubts *warnings) {
  *warnings = (Doubts){0};
  warn_of_contention(run, warnings);
  doubt_threads(run, warnings);
  doubt_limits(run, warnings);
}
