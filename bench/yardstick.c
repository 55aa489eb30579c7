/* yardstick.c - measures the machine's limits, with kernels of their own and with OpenBLAS.
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
#include "bench/yardstick_kernels.h"
#include "kernels/kernels.h"
#include "platform/blas.h"
#include "platform/memory.h"

#define REPETITIONS_LEAST 3
#define SGEMM_SIZE 2048
#define SGEMM_SIZE_BRIEF 512
/* The buffer that is read: this large, or this many times the last level of cache if that is more;
 * halved while memory for it is missing, down to the least. Twice a cache is not enough for a
 * limit, because caches that keep some of what streams through would still hold a part of it. */
#define READ_BYTES ((size_t)512 << 20)
#define READ_CACHES 4
#define READ_BYTES_BRIEF ((size_t)64 << 20)
#define READ_CACHES_BRIEF 2
#define READ_BYTES_LEAST ((size_t)32 << 20)
/* A repetition reads one of these, in turn: short enough to come through undisturbed now and then.
 */
#define READ_SLICES 8
/* One repetition of the peak lasts at least this long: starting threads takes a hundredth of it. */
#define PEAK_SECONDS 2e-3

/* Null if the ISA is not in this build or not allowed here. */
static const YardstickKernels *usable_kernels(AttendIsa isa) {
  AttendMachine machine;
  attend_describe_machine(&machine);
  return machine.isa_usable[isa] ? yardstick_kernels(isa) : NULL;
}

/* One repetition of the peak: every thread does `rounds` rounds. Returns the FLOPs of all. */
static double run_peak(const YardstickKernels *kernels, size_t threads, size_t rounds) {
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
static size_t count_rounds(const YardstickKernels *kernels) {
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

double yardstick_peak(AttendIsa isa, size_t threads, double seconds) {
  const YardstickKernels *const kernels = usable_kernels(isa);
  if (!kernels) return 0;
  const size_t rounds = count_rounds(kernels);
  const double begin = timer_seconds();
  double best = 0;
  for (size_t i = 0; i < REPETITIONS_LEAST || timer_seconds() - begin < seconds; i++) {
    const double start = timer_seconds();
    const double flops = run_peak(kernels, threads, rounds);
    best = fmax(best, flops / (timer_seconds() - start));
  }
  return best * 1e-9;
}

size_t yardstick_sgemm_size(double seconds) {
  return seconds < YARDSTICK_BRIEF ? SGEMM_SIZE_BRIEF : SGEMM_SIZE;
}

double yardstick_sgemm(size_t threads, double seconds) {
  const size_t n = yardstick_sgemm_size(seconds);
  float *const memory = memory_allocate(3 * n * n * sizeof(float));
  if (!memory) return 0;
  float *const a = memory, *const b = a + n * n, *const c = b + n * n;
  for (size_t i = 0; i < 2 * n * n; i++) memory[i] = (float)(i % 7) * 0.125f - 0.375f;

  BlasScope scope;
  blas_begin(&scope, threads);
  const double begin = timer_seconds();
  double best = 0;
  for (size_t i = 0; i < REPETITIONS_LEAST || timer_seconds() - begin < seconds; i++) {
    const double start = timer_seconds();
    blas_gemm(n, n, n, 1.0f, a, n, b, n, false, 0.0f, c, n);
    best = fmax(best, 2.0 * (double)n * (double)n * (double)n / (timer_seconds() - start));
  }
  blas_end(&scope);
  free(memory);
  return best * 1e-9;
}

size_t yardstick_read_bytes(size_t cache_bytes, double seconds) {
  const bool brief = seconds < YARDSTICK_BRIEF;
  const size_t least = brief ? READ_BYTES_BRIEF : READ_BYTES;
  const size_t caches = (brief ? READ_CACHES_BRIEF : READ_CACHES) * cache_bytes;
  return caches > least ? caches : least;
}

/* Memory to read, in one part per thread, and how much of each part one repetition reads. */
typedef struct ReadBuffer {
  float *data;
  size_t threads, part, slice; /* the last two in floats */
} ReadBuffer;

static bool open_buffer(size_t threads, size_t bytes, ReadBuffer *buffer) {
  float *data = NULL;
  while (bytes >= READ_BYTES_LEAST && !(data = memory_allocate(bytes))) bytes /= 2;
  if (!data) return false;
  /* Whole cache lines for each of eight streams, so that no slice leaves anything out. */
  const size_t grain = 8 * KERNEL_ALIGNMENT / sizeof(float);
  const size_t slice = bytes / sizeof(float) / threads / READ_SLICES / grain * grain;
  const size_t part = READ_SLICES * slice;
  *buffer = (ReadBuffer){data, threads, part, slice};
#pragma omp parallel for num_threads((int)threads) schedule(static, 1)
  for (size_t t = 0; t < threads; t++) memset(data + t * part, 0, part * sizeof(float));
  return true;
}

/* Every thread reads slice number `index` of its part. Returns bytes per second. */
static double run_read(const YardstickKernels *kernels, const ReadBuffer *buffer, size_t index,
                       size_t streams) {
  const float *const data = buffer->data + index % READ_SLICES * buffer->slice;
  const double start = timer_seconds();
#pragma omp parallel for num_threads((int)buffer->threads) schedule(static, 1)
  for (size_t t = 0; t < buffer->threads; t++) {
    kernels->read(data + t * buffer->part, buffer->slice, streams);
  }
  const double bytes = (double)(buffer->threads * buffer->slice * sizeof(float));
  return bytes / (timer_seconds() - start);
}

double yardstick_read(size_t threads, double seconds) {
  static const size_t streams[] = {1, 2, 4, 8};
  AttendMachine machine;
  attend_describe_machine(&machine);
  ReadBuffer buffer;
  if (!open_buffer(threads, yardstick_read_bytes(machine.l3_bytes, seconds), &buffer)) return 0;
  const double begin = timer_seconds();
  double best = 0;
  size_t slice = 0;
  for (size_t i = 0; i < REPETITIONS_LEAST || timer_seconds() - begin < seconds; i++) {
    for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
      for (size_t s = 0; machine.isa_usable[isa] && s < sizeof streams / sizeof *streams; s++) {
        best =
            fmax(best, run_read(yardstick_kernels((AttendIsa)isa), &buffer, slice++, streams[s]));
      }
    }
  }
  free(buffer.data);
  return best * 1e-9;
}
