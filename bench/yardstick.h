/* yardstick.h - what the machine can do, measured in the same run as the results.
 *
 * A time on a shared machine says little; its share of a limit measured minutes apart on the same
 * cores says more. The three limits are the multiply-adds that fit in registers, OpenBLAS's product
 * of large square matrices, and reading memory that no cache holds.
 */
#ifndef BENCH_YARDSTICK_H
#define BENCH_YARDSTICK_H

#include "attend/attend.h"

/* The fastest repetition of each measurement, summed over the threads. 0: it could not be made
 * (memory for it is missing, or the ISA is not in this build). */
typedef struct Yardsticks {
  double fma_gflops;   /* fp32 multiply-adds in registers, 2 FLOPs each */
  double sgemm_gflops; /* cblas_sgemm, square, YARDSTICK_SGEMM_SIZE */
  double read_gbps;    /* 1e9 bytes per second, best of 1, 2, 4 and 8 streams per thread */
} Yardsticks;

#define YARDSTICK_SGEMM_SIZE 2048

/* Measures all three with `threads` threads and the kernels of `isa` (AUTO: the widest that is
 * usable), repeating each for about seconds_per_measure (at least three repetitions). Setting up
 * the memory for them takes a few tenths of a second more. */
void yardstick_measure(AttendIsa isa, size_t threads, double seconds_per_measure, Yardsticks *out);

#endif
