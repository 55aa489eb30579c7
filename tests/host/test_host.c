/* test_host.c - inside a host that computes with OpenBLAS and OpenMP itself: its settings.
 *
 * After every call the host finds them as it left them: threads of OpenBLAS and OpenMP, rounding
 * and traps, dispositions and mask of signals. What a layer gives is held against the oracle
 * throughout.
 */
#include <cblas.h>
#include <fenv.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/host/host_case.h"
#include "tests/host/host_state.h"

/* A deadlock ends the program. */
enum { SECONDS_AT_MOST = 300 };
enum { THREADS = 4 };

static void on_signal(int number) {
  (void)number;
}

/* Every layer, engine and number of threads, watched call by call. */
static void require_unchanged(const char *setting) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t e = 0; e < count; e++) {
    HostCase c = host_case_new(e);
    for (size_t threads = 1; threads <= THREADS; threads++) {
      Observer observer = {.expected = host_state()};
      const char *const wrong = host_case_use(&c, engines[e], threads, observe, &observer);
      if (wrong || observer.changed)
        fail_msg("%s, path=%s isa=%s, %zu threads: %s; changed: %s, by %s", setting,
                 attend_path_name(engines[e].path), attend_isa_name(engines[e].isa), threads,
                 wrong ? wrong : "right", observer.changed ? observer.changed : "nothing",
                 observer.call ? observer.call : "none");
    }
    host_case_free(&c);
  }
}

static void threads_stay(void **state) {
  (void)state;
  static const int numbers[][2] = {{1, 1}, {3, 2}, {2, 3}, {5, 5}, {1, 4}, {4, 1}};
  const int blas = openblas_get_num_threads(), omp = omp_get_max_threads();
  for (size_t i = 0; i < COUNT_OF(numbers); i++) {
    openblas_set_num_threads(numbers[i][0]);
    omp_set_num_threads(numbers[i][1]);
    assert_int_equal(openblas_get_num_threads(), numbers[i][0]);
    char setting[64];
    snprintf(setting, sizeof setting, "OpenBLAS %d, OpenMP %d", numbers[i][0], numbers[i][1]);
    require_unchanged(setting);
  }
  openblas_set_num_threads(blas);
  omp_set_num_threads(omp);
}

/* What libgomp asks before it opens a region: a machine so busy that a team is of one thread
 * wherever OpenMP may adjust it. OpenBLAS must not be asked to work with fewer threads than it
 * counts on. */
int getloadavg(double averages[], int count) {
  for (int i = 0; i < count; i++) averages[i] = 1000;
  return count;
}

static void openmp_stays(void **state) {
  (void)state;
  const HostState before = host_state();
  omp_set_dynamic(1);
  omp_set_max_active_levels(3);
  omp_set_schedule(omp_sched_guided, 7);
  require_unchanged("dynamic, three levels, guided");
  omp_set_dynamic(before.omp_dynamic);
  omp_set_max_active_levels(before.omp_levels);
  omp_set_schedule(before.omp_schedule, before.omp_chunk);
}

/* Other directions of rounding stay within what the tests allow. */
static void floating_point_stays(void **state) {
  (void)state;
  static const int directions[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (size_t i = 0; i < COUNT_OF(directions); i++) {
    HostCase c = host_case_new(i);
    fesetround(directions[i]);
    Observer observer = {.expected = host_state()};
    const char *const wrong =
        host_case_use(&c, (Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32}, 2,
                      observe, &observer);
    fesetround(FE_TONEAREST);
    if (wrong || observer.changed)
      fail_msg("rounding %zu: %s; changed: %s", i, wrong ? wrong : "right",
               observer.changed ? observer.changed : "nothing");
    host_case_free(&c);
  }
}

static void signals_stay(void **state) {
  (void)state;
  static const int numbers[] = {SIGFPE,  SIGBUS,  SIGSEGV, SIGILL,
                                SIGUSR1, SIGPIPE, SIGALRM, SIGCHLD};
  struct sigaction before[COUNT_OF(numbers)], ours;
  memset(&ours, 0, sizeof ours);
  ours.sa_handler = on_signal;
  ours.sa_flags = SA_RESTART;
  sigset_t blocked, none_blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  sigprocmask(SIG_BLOCK, &blocked, &none_blocked);
  for (size_t i = 0; i < COUNT_OF(numbers); i++) sigaction(numbers[i], &ours, &before[i]);
  require_unchanged("handlers of the host's own");
  for (size_t i = 0; i < COUNT_OF(numbers); i++) sigaction(numbers[i], &before[i], NULL);
  sigprocmask(SIG_SETMASK, &none_blocked, NULL);
}

int main(void) {
  alarm(SECONDS_AT_MOST);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_stay),
      cmocka_unit_test(openmp_stays),
      cmocka_unit_test(floating_point_stays),
      cmocka_unit_test(signals_stay),
  };
  return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
