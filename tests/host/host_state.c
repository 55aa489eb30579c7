/* host_state.c - reads the settings of OpenBLAS, OpenMP, the floating-point unit and signals, and
 * compares them one by one, so that a change has a name. Sets nothing. */
#include "tests/host/host_state.h"

#include <cblas.h>
#include <fenv.h>
#include <string.h>

HostState host_state(void) {
  HostState state;
  memset(&state, 0, sizeof state);
  state.blas_threads = openblas_get_num_threads();
  state.omp_threads = omp_get_max_threads();
  state.omp_dynamic = omp_get_dynamic();
  state.omp_levels = omp_get_max_active_levels();
  omp_get_schedule(&state.omp_schedule, &state.omp_chunk);
  state.rounding = fegetround();
  state.traps = fegetexcept();
#ifdef __SSE__
  state.float_control = __builtin_ia32_stmxcsr() & ~0x3fu;
#endif
  for (int i = 1; i < SIGNALS; i++) sigaction(i, NULL, &state.actions[i]);
  sigprocmask(SIG_BLOCK, NULL, &state.blocked);
  return state;
}

const char *host_difference(const HostState *a, const HostState *b) {
  if (a->blas_threads != b->blas_threads) return "OpenBLAS's number of threads";
  if (a->omp_threads != b->omp_threads) return "OpenMP's number of threads";
  if (a->omp_dynamic != b->omp_dynamic) return "OpenMP's dynamic adjustment";
  if (a->omp_levels != b->omp_levels) return "OpenMP's levels of parallel regions";
  if (a->omp_schedule != b->omp_schedule || a->omp_chunk != b->omp_chunk)
    return "OpenMP's schedule";
  if (a->rounding != b->rounding) return "the rounding mode";
  if (a->traps != b->traps) return "the floating-point traps";
  if (a->float_control != b->float_control) return "MXCSR";
  for (int i = 1; i < SIGNALS; i++) {
    if (a->actions[i].sa_handler != b->actions[i].sa_handler) return "a signal's handler";
    if (a->actions[i].sa_flags != b->actions[i].sa_flags) return "a signal's flags";
  }
  if (memcmp(&a->blocked, &b->blocked, sizeof a->blocked) != 0) return "the blocked signals";
  return NULL;
}

void observe(void *user, const char *call) {
  Observer *const observer = user;
  const HostState now = host_state();
  const char *const changed = host_difference(&observer->expected, &now);
  if (!changed || observer->changed) return;
  observer->changed = changed;
  observer->call = call;
}
