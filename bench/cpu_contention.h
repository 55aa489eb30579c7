/* cpu_contention.h - how much of this process's cores other programs had while something was
 * measured.
 *
 * The clock is read before and after a measurement. The difference tells a row that is slow from
 * one that was kept waiting. Time that the host of a virtual machine takes counts as that of other
 * programs. On a system that does not say (no /proc/stat, or one that is not kept up to date) the
 * share is CONTENTION_UNKNOWN, never 0.
 */
#ifndef ATTEND_BENCH_CPU_CONTENTION_H
#define ATTEND_BENCH_CPU_CONTENTION_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#define CONTENTION_UNKNOWN (-1.0)
/* Shares from here on are reported; a system at rest takes less for itself. */
#define CONTENTION_OF_NOTE 0.05

/* Seconds of processor time since some moment in the past, summed over the cores. */
typedef struct CpuContentionClock {
  bool known;
  double busy;  /* of all programs */
  double whole; /* idle time included */
  double own;   /* of this process, all threads */
} CpuContentionClock;

CpuContentionClock cpu_contention_clock(void);

/* Reads busy and whole time of the cores in the set from /proc/stat. A function of its own for the
 * test of cpu_contention_clock(). */
CpuContentionClock cpu_contention_read_cores(FILE *stat, const cpu_set_t *cores,
                                             double ticks_per_second);

/* Share of the cores' time between the two readings that other programs had, from 0 to 1, or
 * CONTENTION_UNKNOWN. */
double contention_share(const CpuContentionClock *before, const CpuContentionClock *after);

#endif
