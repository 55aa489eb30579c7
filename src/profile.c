/* profile.c - gathers the threads' clocks into totals. */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

AttendStatus profile_open(Profiler *profiler, bool on, size_t threads) {
  *profiler = (Profiler){.on = on, .threads = threads};
  if (!on) return ATTEND_OK;
  profiler->clocks = aligned_alloc(_Alignof(PhaseClock), threads * sizeof *profiler->clocks);
  if (!profiler->clocks) return ATTEND_STATUS_OUT_OF_MEMORY;
  memset(profiler->clocks, 0, threads * sizeof *profiler->clocks);
  return ATTEND_OK;
}

void profile_close(Profiler *profiler) {
  free(profiler->clocks);
  profiler->clocks = NULL;
}

void profile_gather(Profiler *profiler, size_t threads) {
  if (!profiler->on) return;
  for (size_t t = 0; t < profiler->threads; t++) {
    PhaseClock *const clock = &profiler->clocks[t];
    for (size_t p = 0; p < ATTEND_PHASE_COUNT; p++) {
      profiler->totals.phases[p].seconds += clock->seconds[p] / (double)threads;
      clock->seconds[p] = 0.0;
    }
  }
}

void profile_begin_call(Profiler *profiler) {
  profiler->started = profile_start(profiler);
}

void profile_end_call(Profiler *profiler) {
  if (!profiler->on) return;
  profiler->totals.calls++;
  profiler->totals.seconds += profile_seconds() - profiler->started;
}
