/* results.c - figures that follow from a row's samples, sizes and yardsticks.
 *
 * Every figure is computed here and nowhere else, so that the table, CSV, JSON and the plot cannot
 * disagree. A share of a yardstick that was not measured is 0.
 */
#include "bench/results.h"

#include "storage/storage.h"

static double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double row_seconds(const BenchRow *row) {
  return samples_median(&row->samples);
}

double row_gflops(const BenchRow *row) {
  return 1e-9 * ratio(row->flops, row_seconds(row));
}

double row_gbps(const BenchRow *row) {
  return 1e-9 * ratio(row->bytes, row_seconds(row));
}

double row_compute_seconds(const BenchRow *row) {
  const double *const peaks = row->yardsticks->fma_gflops;
  const double core = peaks[row->core_isa], projection = peaks[row->projection_isa];
  if (!(core > 0 && projection > 0)) return 0;
  return 1e-9 * (row->core_flops / core + (row->flops - row->core_flops) / projection);
}

double row_bandwidth_seconds(const BenchRow *row) {
  return 1e-9 * ratio(row->bytes, row->yardsticks->read_gbps);
}

double row_peak_gflops(const BenchRow *row) {
  return 1e-9 * ratio(row->flops, row_compute_seconds(row));
}

double row_peak_share(const BenchRow *row) {
  return ratio(row_compute_seconds(row), row_seconds(row));
}

double row_sgemm_share(const BenchRow *row) {
  return ratio(row_gflops(row), row->yardsticks->sgemm_gflops);
}

double row_read_share(const BenchRow *row) {
  return ratio(row_bandwidth_seconds(row), row_seconds(row));
}

double row_tokens_per_second(const BenchRow *row, const BenchConfig *config) {
  const size_t tokens = config->mode == BENCH_DECODE ? 1 : row->tokens;
  return ratio((double)config->batch * (double)tokens, row_seconds(row));
}

static double mean_seconds(const BenchRow *row) {
  return ratio(samples_sum(&row->samples), (double)row->samples.count);
}

/* The whole call minus the other phases, because only those are wall-clock times. A phase of the
 * core is a mean over threads, and leaves out threads that had nothing to do. */
double row_core_seconds(const BenchRow *row) {
  const double *const phases = row->phase_seconds;
  const double core = mean_seconds(row) - phases[ATTEND_PHASE_QKV_PROJECTION] -
                      phases[ATTEND_PHASE_QK_NORM_ROPE] - phases[ATTEND_PHASE_OUTPUT_PROJECTION];
  return core > 0 ? core : 0;
}

double row_core_gflops(const BenchRow *row) {
  return 1e-9 * ratio(row->core_flops, row_core_seconds(row));
}

double row_other_seconds(const BenchRow *row) {
  double other = mean_seconds(row);
  for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) other -= row->phase_seconds[p];
  return other > 0 ? other : 0;
}

BenchLimit row_limit(const BenchRow *row) {
  return row_compute_seconds(row) >= row_bandwidth_seconds(row) ? BENCH_COMPUTE : BENCH_BANDWIDTH;
}

double row_limit_share(const BenchRow *row) {
  return row_limit(row) == BENCH_COMPUTE ? row_peak_share(row) : row_read_share(row);
}

AttendPrecision config_precision(const BenchConfig *config, size_t p) {
  return config->precisions ? config->precisions[p] : ATTEND_PRECISION_FP32;
}

/* A core without a cache reads the caller's floats, however anything else is stored. */
AttendStorage config_storage(const BenchConfig *config, size_t p) {
  const bool stores =
      config->part == BENCH_LAYER || config->mode == BENCH_DECODE || config->chunk > 0;
  return stores ? storage_resolve(config->storage, config_precision(config, p))
                : ATTEND_STORAGE_FP32;
}

size_t bench_storage_bytes(AttendStorage storage) {
  return (size_t)attend_storage_bytes(storage);
}

size_t bench_moved_bytes(AttendPrecision precision, AttendStorage storage) {
  const StorageFormat stored = storage_format(storage);
  const size_t terms = precision_terms(precision);
  const bool reads_some = stored.number == KERNEL_BF16 && terms && terms < stored.terms;
  return reads_some ? terms * number_bytes(KERNEL_BF16) : bench_storage_bytes(storage);
}

bool run_needs_peak(const BenchRun *run, AttendIsa isa) {
  return isa == run->machine.isa_best || isa == run->config->isa;
}

size_t run_count(const BenchRun *run, BenchStatus status) {
  size_t count = 0;
  for (size_t r = 0; r < run->row_count; r++) count += run->rows[r].status == status;
  return count;
}

const char *bench_part_name(BenchPart part) {
  return part == BENCH_LAYER ? "layer" : "core";
}

const char *bench_mode_name(BenchMode mode) {
  return mode == BENCH_PREFILL ? "prefill" : "decode";
}

const char *bench_status_name(BenchStatus status) {
  static const char *const names[] = {"pending", "measured", "skipped", "failed"};
  return names[status];
}

const char *bench_limit_name(BenchLimit limit) {
  return limit == BENCH_COMPUTE ? "compute" : "bandwidth";
}

const char *bench_mask_name(BenchMask mask) {
  static const char *const names[] = {"none", "random", "bias"};
  return names[mask];
}
