/* kernel_sweep.c - owns a run's rows, and takes the samples.
 *
 * A sample is as many calls as last SAMPLE_SECONDS, followed by a measurement of the core's clock.
 * One thread does everything.
 */
#include "bench/kernel_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/core_clock.h"
#include "bench/interrupt.h"
#include "bench/timer.h"
#include "platform/cpu.h"

#define SAMPLE_SECONDS 2e-3
/* A row takes this many samples, and more until it has had so many seconds. */
#define SAMPLES_LEAST 5
#define ROW_SECONDS 0.1

static bool is_of(const KernelCase *timing, const char *family) {
  return strcmp(timing->family, family) == 0;
}

/* Rows of one family; writes them if `rows` is not null. */
static size_t list_family(const char *family, const AttendIsa *isas, size_t isa_count,
                          KernelRow *rows) {
  size_t count = 0;
  for (size_t c = 0; c < kernel_case_count(); c++) {
    if (!is_of(kernel_case_at(c), family)) continue;
    for (size_t i = 0; i < isa_count; i++, count++) {
      if (rows)
        rows[count] = (KernelRow){.family = family, .timing = kernel_case_at(c), .isa = isas[i]};
    }
  }
  if (count) return count;
  if (rows) *rows = (KernelRow){.family = family};
  return 1;
}

static size_t list_rows(const KernelRun *run, KernelRow *rows) {
  size_t count = 0;
  const char *family;
  for (size_t f = 0; (family = timed_family_at(f)); f++)
    count += list_family(family, run->isas, run->isa_count, rows ? rows + count : NULL);
  return count;
}

bool kernel_sweep_open(const BenchConfig *config, KernelRun *run) {
  *run = (KernelRun){.yardstick_seconds = config->yardstick_seconds,
                     .repeat = config->repeat,
                     .started = time(NULL)};
  attend_describe_machine(&run->machine);
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    const bool asked = config->isa == ATTEND_ISA_AUTO || (int)config->isa == isa;
    if (asked && run->machine.isa_usable[isa] && cpu_enable((AttendIsa)isa))
      run->isas[run->isa_count++] = (AttendIsa)isa;
  }
  run->row_count = list_rows(run, NULL);
  run->rows = calloc(run->row_count, sizeof *run->rows);
  if (!run->rows) {
    *run = (KernelRun){0};
    return false;
  }
  list_rows(run, run->rows);
  return true;
}

void kernel_sweep_close(KernelRun *run) {
  for (size_t r = 0; run->rows && r < run->row_count; r++) samples_free(&run->rows[r].samples);
  free(run->rows);
  *run = (KernelRun){0};
}

/* Keeps the best so far, because a limit that was measured while another program ran is too low. */
static void measure_limits(KernelRun *run) {
  const double seconds = run->yardstick_seconds;
  for (size_t i = 0; i < run->isa_count && !interrupt_seen(); i++) {
    double *const peak = &run->limits.fma_gflops[run->isas[i]];
    *peak = fmax(*peak, yardstick_peak(run->isas[i], 1, seconds));
  }
  if (!interrupt_seen())
    run->limits.read_gbps = fmax(run->limits.read_gbps, yardstick_read(1, seconds));
}

/* Seconds of so many calls. */
static double time_calls(KernelRow *row, KernelData *data, size_t calls) {
  const Kernels *const kernels = kernels_get(row->isa);
  const double start = timer_seconds();
  for (size_t i = 0; i < calls; i++) row->work = row->timing->call(row->timing, kernels, data);
  return timer_seconds() - start;
}

/* Calls that make a sample last SAMPLE_SECONDS, found by doubling; the least of three tries
 * counts, so that one that another program interrupts does not pass for a long one. */
static void count_calls(KernelRow *row, KernelData *data) {
  for (row->calls_per_sample = 1;; row->calls_per_sample *= 2) {
    double least = INFINITY;
    for (size_t i = 0; i < 3 && least >= SAMPLE_SECONDS; i++)
      least = fmin(least, time_calls(row, data, row->calls_per_sample));
    if (least >= SAMPLE_SECONDS) return;
  }
}

static bool wants_more(const KernelRun *run, const KernelRow *row) {
  if (run->repeat) return row->samples.count < run->repeat;
  const double spent = samples_sum(&row->samples) * (double)row->calls_per_sample;
  return row->samples.count < SAMPLES_LEAST || spent < ROW_SECONDS;
}

/* False if memory for the sample is missing. */
static bool take_sample(KernelRow *row, KernelData *data) {
  const double calls = (double)row->calls_per_sample;
  const double seconds = time_calls(row, data, row->calls_per_sample) / calls;
  row->clock_hertz = fmax(row->clock_hertz, core_clock_hertz());
  return samples_add(&row->samples, seconds);
}

/* The rows of one case, in turns. */
static bool measure_case(const KernelRun *run, KernelRow *rows, size_t count, KernelData *data) {
  for (size_t i = 0; i < count; i++) count_calls(&rows[i], data);
  for (bool sampled = true; sampled && !interrupt_seen();) {
    sampled = false;
    for (size_t i = 0; i < count && !interrupt_seen(); i++) {
      if (!wants_more(run, &rows[i])) continue;
      if (!take_sample(&rows[i], data)) return false;
      sampled = true;
    }
  }
  return true;
}

static bool measure_rows(KernelRun *run, KernelData *data, BenchProgress *progress) {
  for (size_t r = 0; r < run->row_count && !interrupt_seen();) {
    KernelRow *const row = &run->rows[r];
    const size_t count = row->timing ? run->isa_count : 1;
    progress_show(progress, (BenchMoment){BENCH_STEP_KERNEL, .kernel = row->family,
                                          .size = row->timing ? row->timing->size : NULL});
    if (row->timing && !measure_case(run, row, count, data)) return false;
    progress->done = r += count;
  }
  return true;
}

bool kernel_sweep_measure(KernelRun *run, BenchProgress *progress) {
  KernelData data;
  const double start = timer_seconds();
  progress->done = 0;
  progress->total = run->row_count;
  progress_show(progress, (BenchMoment){BENCH_STEP_LIMITS, .number = 1});
  measure_limits(run);
  bool measured = kernel_data_open(run->machine.l3_bytes, run->yardstick_seconds, &data);
  if (measured) {
    measured = measure_rows(run, &data, progress);
    kernel_data_close(&data);
    measure_limits(run);
  }
  run->seconds = timer_seconds() - start;
  run->interrupted = interrupt_seen();
  return measured;
}

static double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double kernel_row_cycles(const KernelRow *row) {
  return samples_min(&row->samples) * row->clock_hertz;
}

double kernel_row_gflops(const KernelRow *row) {
  return 1e-9 * ratio(row->work.flops, samples_median(&row->samples));
}

double kernel_row_gbps(const KernelRow *row) {
  return 1e-9 * ratio(row->work.bytes, samples_median(&row->samples));
}

BenchLimit kernel_row_limit(const KernelRun *run, const KernelRow *row) {
  const double compute = ratio(row->work.flops, run->limits.fma_gflops[row->isa]);
  return compute >= ratio(row->work.bytes, run->limits.read_gbps) ? BENCH_COMPUTE : BENCH_BANDWIDTH;
}

double kernel_row_limit_share(const KernelRun *run, const KernelRow *row) {
  return kernel_row_limit(run, row) == BENCH_COMPUTE
             ? ratio(kernel_row_gflops(row), run->limits.fma_gflops[row->isa])
             : ratio(kernel_row_gbps(row), run->limits.read_gbps);
}
