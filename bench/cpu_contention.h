/* cpu_contention.h - how much of this process's cores other programs had while something was measured.
 *
 * Read before and after; the difference says what a time alone cannot: whether a row is slow, or
 * was kept waiting. What the host of a virtual machine takes counts as others. A system that does
 * not say (no /proc/stat, or one that is not kept) gives CONTENTION_UNKNOWN, never 0.
 */
#ifndef BENCH_CPU_CONTENTION_H
#define BENCH_CPU_CONTENTION_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#define CONTENTION_UNKNOWN (-1.0)
/* A share that is worth a word: more than a system at rest takes for itself. */
#define CONTENTION_OF_NOTE 0.05

/* Seconds of processor time since some moment in the past, summed over the cores. */
typedef struct CpuContentionClock {
  bool known;
  double busy;  /* whoever ran */
  double whole; /* idle time too */
  double own;   /* of this process, all threads */
} CpuContentionClock;

CpuContentionClock cpu_contention_clock(void);

/* The part of it that is in /proc/stat, of the cores in the set; for cpu_contention_clock() and its
 * test. */
CpuContentionClock cpu_contention_read_cores(FILE *stat, const cpu_set_t *cores,
                                             double ticks_per_second);

/* Share of the cores' time between the two that others had, from 0 to 1, or CONTENTION_UNKNOWN. */
double contention_share(const CpuContentionClock *before, const CpuContentionClock *after);

#endif
