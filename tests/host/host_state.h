/* host_state.h - what a host may have set, of its process and of the calling thread, and whether a
 * call of the library has changed any of it.
 */
#ifndef ATTEND_TESTS_HOST_HOST_STATE_H
#define ATTEND_TESTS_HOST_HOST_STATE_H

#include <omp.h>
#include <signal.h>

enum { SIGNALS = 65 };

typedef struct HostState {
  int blas_threads;
  int omp_threads, omp_dynamic, omp_levels, omp_chunk;
  omp_sched_t omp_schedule;
  int rounding, traps;
  unsigned float_control; /* MXCSR without its sticky flags, where there is one */
  struct sigaction actions[SIGNALS];
  sigset_t blocked;
} HostState;

HostState host_state(void);

/* What differs, or null. */
const char *host_difference(const HostState *a, const HostState *b);

typedef struct Observer {
  HostState expected;
  const char *changed, *call; /* the first change and the call that made it, or null */
} Observer;

/* Looks after a call; `user` is the Observer. */
void observe(void *user, const char *call);

#endif
