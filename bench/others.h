/* others.h - how much of this process's cores other programs had while something was measured.
 *
 * Read before and after; the difference says what a time alone cannot: whether a row is slow, or
 * was kept waiting. What the host of a virtual machine takes counts as others. A system that does
 * not say (no /proc/stat, or one that is not kept) gives OTHERS_UNKNOWN, never 0.
 */
#ifndef BENCH_OTHERS_H
#define BENCH_OTHERS_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#define OTHERS_UNKNOWN (-1.0)
/* A share that is worth a word: more than a system at rest takes for itself. */
#define OTHERS_OF_NOTE 0.05

/* Seconds of processor time since some moment in the past, summed over the cores. */
typedef struct OthersClock {
  bool known;
  double busy;  /* whoever ran */
  double whole; /* idle time too */
  double own;   /* of this process, all threads */
} OthersClock;

OthersClock others_clock(void);

/* The part of it that is in /proc/stat, of the cores in the set; for others_clock() and its
 * test. */
OthersClock others_read_cores(FILE *stat, const cpu_set_t *cores, double ticks_per_second);

/* Share of the cores' time between the two that others had, from 0 to 1, or OTHERS_UNKNOWN. */
double others_share(const OthersClock *before, const OthersClock *after);

#endif
