/* yardstick.c - measures the machine's limits with the kernels that the library is made of.
 *
 * Owns the buffers of the measurements while they run. Each figure is the best of several
 * repetitions, because a disturbance by other programs can only make a repetition slower. Memory is
 * written first by the thread that reads it later, so that its pages lie near that thread.
 */
#include "bench/yardstick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/timer.h"
#include "blas.h"
#include "kernels/kernels.h"

#define MIN_REPETITIONS 3
/* The buffer that is read: this large, or this many times the last level of cache if that is more;
 * halved while memory for it is missing, down to the least. */
#define READ_BYTES ((size_t)512 << 20)
#define READ_CACHES 4
#define READ_BYTES_LEAST ((size_t)32 << 20)
/* One repetition of the peak lasts at least this long: starting threads takes a hundredth of it. */
#define PEAK_SECONDS 2e-3

/* One repetition of the peak: every thread does `rounds` rounds. Returns the FLOPs of all. */
static double run_peak(const Kernels *kernels, size_t threads, size_t rounds) {
  double flops = 0;
#pragma omp parallel num_threads((int)threads) reduction(+ : flops)
  {
    float sink;
    flops += kernels->peak(rounds, &sink);
  }
  return flops;
}

/* Rounds that keep one thread busy for PEAK_SECONDS. The least of three tries counts, so that a
 * try that another program interrupts does not pass for a long one. */
static size_t count_rounds(const Kernels *kernels) {
  for (size_t rounds = 1024;; rounds *= 2) {
    double least = INFINITY;
    for (size_t i = 0; i < 3; i++) {
      float sink;
      const double start = timer_seconds();
      kernels->peak(rounds, &sink);
      least = fmin(least, timer_seconds() - start);
    }
    if (least >= PEAK_SECONDS) return rounds;
  }
}

static double measure_peak(const Kernels *kernels, size_t threads, double seconds) {
  const size_t rounds = count_rounds(kernels);
  const double begin = timer_seconds();
  double best = 0;
  for (size_t i = 0; i < MIN_REPETITIONS || timer_seconds() - begin < seconds; i++) {
    const double start = timer_seconds();
    const double flops = run_peak(kernels, threads, rounds);
    const double rate = flops / (timer_seconds() - start);
    if (rate > best) best = rate;
  }
  return best * 1e-9;
}

static double measure_sgemm(size_t threads, double seconds) {
  const size_t n = YARDSTICK_SGEMM_SIZE;
  float *const memory = malloc(3 * n * n * sizeof(float));
  if (!memory) return 0;
  float *const a = memory, *const b = a + n * n, *const c = b + n * n;
  for (size_t i = 0; i < 2 * n * n; i++) memory[i] = (float)(i % 7) * 0.125f - 0.375f;

  BlasScope scope;
  blas_begin(&scope, threads);
  blas_gemm(n, n, n, 1.0f, a, n, b, n, false, 0.0f, c, n);
  const double begin = timer_seconds();
  double best = 0;
  for (size_t i = 0; i < MIN_REPETITIONS || timer_seconds() - begin < seconds; i++) {
    const double start = timer_seconds();
    blas_gemm(n, n, n, 1.0f, a, n, b, n, false, 0.0f, c, n);
    const double rate = 2.0 * (double)n * (double)n * (double)n / (timer_seconds() - start);
    if (rate > best) best = rate;
  }
  blas_end(&scope);
  free(memory);
  return best * 1e-9;
}

/* One pass over all of the memory, in one part per thread. */
static void run_read(const Kernels *kernels, size_t threads, const float *data, size_t part,
                     size_t streams) {
#pragma omp parallel for num_threads((int)threads) schedule(static, 1)
  for (size_t t = 0; t < threads; t++) kernels->read(data + t * part, part, streams);
}

static double measure_read(const Kernels *kernels, size_t threads, size_t cache_bytes,
                           double seconds) {
  float *data = NULL;
  size_t bytes = READ_CACHES * cache_bytes > READ_BYTES ? READ_CACHES * cache_bytes : READ_BYTES;
  bytes -= bytes % READ_BYTES_LEAST;
  while (bytes >= READ_BYTES_LEAST && !(data = aligned_alloc(KERNEL_ALIGNMENT, bytes))) bytes /= 2;
  if (!data) return 0;
  /* Whole cache lines for each of eight streams, so that no part leaves anything out. */
  const size_t grain = 8 * KERNEL_ALIGNMENT / sizeof(float);
  const size_t part = bytes / sizeof(float) / threads / grain * grain;
#pragma omp parallel for num_threads((int)threads) schedule(static, 1)
  for (size_t t = 0; t < threads; t++) memset(data + t * part, 0, part * sizeof(float));

  static const size_t streams[] = {1, 2, 4, 8};
  const double begin = timer_seconds();
  double best = 0;
  for (size_t i = 0; i < MIN_REPETITIONS || timer_seconds() - begin < seconds; i++) {
    for (size_t s = 0; s < sizeof streams / sizeof *streams; s++) {
      const double start = timer_seconds();
      run_read(kernels, threads, data, part, streams[s]);
      const double rate = (double)(threads * part * sizeof(float)) / (timer_seconds() - start);
      if (rate > best) best = rate;
    }
  }
  free(data);
  return best * 1e-9;
}

void yardstick_measure(AttendIsa isa, size_t threads, double seconds_per_measure, Yardsticks *out) {
  AttendMachine machine;
  attend_describe_machine(&machine);
  if (isa == ATTEND_ISA_AUTO) isa = machine.isa_best;
  const Kernels *const kernels = machine.isa_usable[isa] ? kernels_get(isa) : NULL;

  out->fma_gflops = kernels ? measure_peak(kernels, threads, seconds_per_measure) : 0;
  out->sgemm_gflops = measure_sgemm(threads, seconds_per_measure);
  out->read_gbps =
      kernels ? measure_read(kernels, threads, machine.l3_bytes, seconds_per_measure) : 0;
}
