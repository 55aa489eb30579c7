/* yardstick.h - what the machine can do, measured in the same run as the results.
 *
 * A time on a shared machine says little; its share of a limit measured minutes apart on the same
 * cores says more. The three limits are the multiply-adds that fit in registers, OpenBLAS's product
 * of large square matrices, and reading memory that no cache holds.
 *
 * Each measurement repeats itself for about `seconds` with `threads` threads, at least three times,
 * and gives the fastest repetition, summed over the threads; 0 if it could not be made (memory for
 * it is missing, or the ISA is not usable here). Setting up the memory takes some tenths of a
 * second more. With less than YARDSTICK_BRIEF seconds it uses smaller operands, which is enough for
 * tests and for nothing else.
 */
#ifndef ATTEND_BENCH_YARDSTICK_H
#define ATTEND_BENCH_YARDSTICK_H

#include "attend/attend.h"

#define YARDSTICK_BRIEF 0.05

typedef struct Yardsticks {
  size_t threads;
  double
      fma_gflops[ATTEND_ISA_COUNT]; /* 0 also where an ISA was not asked for; [AUTO] is not used */
  double sgemm_gflops;
  double read_gbps; /* 1e9 bytes per second */
} Yardsticks;

/* GFLOP/s of fp32 multiply-adds in registers, 2 FLOPs each, with the kernels of `isa` (not AUTO).
 */
double yardstick_peak(AttendIsa isa, size_t threads, double seconds);

/* GFLOP/s of cblas_sgemm on square matrices; and how many rows they have. */
double yardstick_sgemm(size_t threads, double seconds);
size_t yardstick_sgemm_size(double seconds);

/* GB/s of reading, on huge pages where the system offers them: the best of 1, 2, 4 and 8 streams
 * per thread with the kernels of every usable ISA, because the widest loads are not always the
 * fastest. */
double yardstick_read(size_t threads, double seconds);

/* Size of a buffer that no cache holds, given the size of the last level. */
size_t yardstick_read_bytes(size_t cache_bytes, double seconds);

#endif
