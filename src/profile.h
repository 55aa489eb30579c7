/* profile.h - time, FLOPs and bytes per phase.
 *
 * A context owns one Profiler. Threads add seconds to clocks of their own during a call; when the
 * call ends, the mean over the threads goes into the totals that attend_get_profile() reads. A
 * profiler that is off costs one branch a phase.
 */
#ifndef ATTEND_SRC_PROFILE_H
#define ATTEND_SRC_PROFILE_H

#include <time.h>

#include "attend/attend.h"

/* One thread's clocks, on cache lines of their own. */
typedef struct PhaseClock {
  _Alignas(64) double seconds[ATTEND_PHASE_COUNT];
} PhaseClock;

typedef struct Profiler {
  bool on;
  size_t threads;
  PhaseClock *clocks; /* [threads], null when off */
  double started;
  AttendProfile totals;
} Profiler;

static inline double profile_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The time now if the profiler is on; hand it to profile_add(). */
static inline double profile_start(const Profiler *profiler) {
  return profiler->on ? profile_seconds() : 0.0;
}

/* Adds the time since `start` to a phase of one thread, and returns the time now. */
static inline double profile_add(Profiler *profiler, size_t thread, AttendPhase phase,
                                 double start) {
  if (!profiler->on) return 0.0;
  const double now = profile_seconds();
  profiler->clocks[thread].seconds[phase] += now - start;
  return now;
}

/* Adds the time since `start` to a phase that is timed by the calling thread alone (projections). It
 * is no mean over threads. */
static inline void profile_add_whole(Profiler *profiler, AttendPhase phase, double start) {
  if (profiler->on) profiler->totals.phases[phase].seconds += profile_seconds() - start;
}

/* FLOPs and bytes of a phase, once a call. */
static inline void profile_count(Profiler *profiler, AttendPhase phase, double flops,
                                 double bytes) {
  if (!profiler->on) return;
  profiler->totals.phases[phase].flops += flops;
  profiler->totals.phases[phase].bytes += bytes;
}

/* After a part of a call that ran on `threads` threads: adds the means of their clocks to the
 * totals. */
void profile_gather(Profiler *profiler, size_t threads);

/* Around a whole public call. */
void profile_begin_call(Profiler *profiler);
void profile_end_call(Profiler *profiler);

AttendStatus profile_open(Profiler *profiler, bool on, size_t threads);
void profile_close(Profiler *profiler);

#endif
