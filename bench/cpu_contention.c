/* cpu_contention.c - reads /proc/stat, whose columns are ticks: user, nice, system, idle, iowait,
 * irq, softirq, steal. The two that follow them are parts of user and nice.
 */
#include "bench/cpu_contention.h"

#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

/* Ticks are coarse, and some kernels charge a whole tick to the program that runs at its end. So a
 * shorter time says nothing. */
#define SECONDS_LEAST 0.2

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, COLUMNS };

static double seconds_of(const struct timeval *time) {
  return (double)time->tv_sec + 1e-6 * (double)time->tv_usec;
}

CpuContentionClock cpu_contention_read_cores(FILE *stat, const cpu_set_t *cores,
                                             double ticks_per_second) {
  CpuContentionClock clock = {0};
  char line[512];
  while (fgets(line, sizeof line, stat)) {
    unsigned core;
    double ticks[COLUMNS];
    if (sscanf(line, "cpu%u %lf %lf %lf %lf %lf %lf %lf %lf", &core, &ticks[USER], &ticks[NICE],
               &ticks[SYSTEM], &ticks[IDLE], &ticks[IOWAIT], &ticks[IRQ], &ticks[SOFTIRQ],
               &ticks[STEAL]) != 1 + COLUMNS)
      continue;
    if (core >= CPU_SETSIZE || !CPU_ISSET(core, cores)) continue;
    for (int i = 0; i < COLUMNS; i++) {
      clock.whole += ticks[i] / ticks_per_second;
      if (i != IDLE && i != IOWAIT) clock.busy += ticks[i] / ticks_per_second;
    }
  }
  clock.known = clock.whole > 0;
  return clock;
}

CpuContentionClock cpu_contention_clock(void) {
  CpuContentionClock clock = {0};
  cpu_set_t cores;
  struct rusage usage;
  const long ticks_per_second = sysconf(_SC_CLK_TCK);
  if (ticks_per_second <= 0 || sched_getaffinity(0, sizeof cores, &cores) != 0 ||
      getrusage(RUSAGE_SELF, &usage) != 0)
    return clock;
  FILE *const stat = fopen("/proc/stat", "re");
  if (!stat) return clock;
  clock = cpu_contention_read_cores(stat, &cores, (double)ticks_per_second);
  clock.own = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
  fclose(stat);
  return clock;
}

double contention_share(const CpuContentionClock *before, const CpuContentionClock *after) {
  const double whole = after->whole - before->whole;
  if (!before->known || !after->known || whole < SECONDS_LEAST) return CONTENTION_UNKNOWN;
  const double cpu_contention = after->busy - before->busy - (after->own - before->own);
  return fmin(1, fmax(0, cpu_contention / whole));
}
