/* warnings.c - the thresholds from which a figure is doubted. */
#include "bench/warnings.h"

#include "bench/cpu_contention.h"

/* Below this share of what as many single threads would reach, threads do not have a core each. */
#define CROWDED 0.75
/* Limit and row are both timed; this much may be chance. */
#define BEATEN 1.02
/* Of data this many times the last level of cache, so little stays there that memory is the
 * limit. */
#define CACHES_OF_MEMORY 4

static void warn(Warnings *warnings, Warning warning) {
  warnings->items[warnings->count++] = warning;
}

/* Of the fastest sample: a median can be that of a disturbed row. */
static double best_share(const BenchRow *row, double limit_seconds) {
  const double best = samples_min(&row->samples);
  return best > 0 ? limit_seconds / best : 0;
}

/* Products of bf16 may beat the fp32 peak, and reads of data in cache may beat the memory. */
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

/* The row that is furthest beyond a limit; a warning without a row if there is none. */
static Warning worst_row(const BenchRun *run) {
  Warning worst = {0};
  for (const BenchRow *row = run->rows; row < run->rows + run->row_count; row++) {
    const bool reads = beats_read(run, row);
    if (!reads && !beats_peak(row)) continue;
    const double seconds = reads ? row_bandwidth_seconds(row) : row_compute_seconds(row);
    const double share = best_share(row, seconds);
    if (share > worst.figure)
      worst = (Warning){reads ? WARNING_READ_EXCEEDED : WARNING_PEAK_EXCEEDED, row->threads, share,
                        row};
  }
  return worst;
}

bool run_beats_limits(const BenchRun *run) {
  for (size_t t = 0; t < run->yardstick_count; t++)
    if (sgemm_beats_peak(run, &run->yardsticks[t])) return true;
  return worst_row(run).row != NULL;
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
 * in registers have no other reason to be slower together, but sgemm may have. */
static void judge_threads(const BenchRun *run, Warnings *warnings) {
  const Yardsticks *alone, *const most = most_threads(run, &alone);
  if (!most) return;
  if (most->threads > run->machine.cores) {
    warn(warnings, (Warning){WARNING_FEW_CORES, .threads = most->threads});
    return;
  }
  const AttendIsa isa = run->machine.isa_best;
  const double fewest = CROWDED * (double)most->threads;
  if (!alone || alone == most || alone->fma_gflops[isa] <= 0 || alone->sgemm_gflops <= 0) return;
  const double peak = most->fma_gflops[isa] / alone->fma_gflops[isa];
  const double sgemm = most->sgemm_gflops / alone->sgemm_gflops;
  if (peak < fewest)
    warn(warnings, (Warning){WARNING_SHARED_CORES, most->threads, peak, NULL});
  else if (sgemm < fewest)
    warn(warnings, (Warning){WARNING_SLOW_SGEMM, most->threads, sgemm, NULL});
}

static void judge_limits(const BenchRun *run, Warnings *warnings) {
  for (size_t t = 0; t < run->yardstick_count; t++) {
    const Yardsticks *const limits = &run->yardsticks[t];
    if (!sgemm_beats_peak(run, limits)) continue;
    warn(warnings, (Warning){WARNING_PEAK_BEATEN, .threads = limits->threads});
    return;
  }
  const Warning worst = worst_row(run);
  if (worst.row) warn(warnings, worst);
}

Warnings run_warnings(const BenchRun *run) {
  Warnings warnings = {0};
  if (run->contention_share >= CONTENTION_OF_NOTE)
    warn(&warnings, (Warning){WARNING_CONTENTION, .figure = run->contention_share});
  judge_threads(run, &warnings);
  judge_limits(run, &warnings);
  return warnings;
}
