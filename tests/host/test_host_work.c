/* test_host_work.c - inside a host that computes with OpenBLAS and OpenMP itself: its own work.
 *
 * The host's products and parallel loops are right before, between and during calls. Within the
 * host's own parallel region a call runs on the thread that makes it and ends.
 */
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/host/host_case.h"
#include "tests/host/host_state.h"

/* A deadlock ends the program. */
enum { SECONDS_AT_MOST = 300 };
enum { THREADS = 4 };

/* ---- between calls ---- */

enum { N = 150 };

/* Products and parallel loops of the host between calls, with as many threads as it asked for. */
static void own_work_goes_on(void **state) {
  (void)state;
  float *const a = new_random(1, 1.0f, N * N), *const b = new_random(2, 1.0f, N * N);
  float *const first = new_bytes(N * N * sizeof *first), *const c = new_bytes(N * N * sizeof *c);
  HostCase layer = host_case_new(0);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const int omp = omp_get_max_threads();
  omp_set_num_threads(3);
  for (size_t i = 0; i <= count; i++) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, i ? c : first,
                N);
    if (i) assert_memory_equal(c, first, N * N * sizeof *c);
    int team = 0;
#pragma omp parallel reduction(+ : team)
    team += 1;
    assert_int_equal(team, 3);
    if (i < count) assert_null(host_case_use(&layer, engines[i], 2, NULL, NULL));
  }
  omp_set_num_threads(omp);
  host_case_free(&layer);
  free(a);
  free(b);
  free(first);
  free(c);
}

/* Threads of this process. */
static size_t count_threads(void) {
  size_t threads = 0;
  char line[256];
  FILE *const file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file)) sscanf(line, "Threads: %zu", &threads);
  fclose(file);
  return threads;
}

typedef struct Outcome {
  const char *wrong;
  Observer observer;
} Outcome;

/* Every thread of the host's region is a user of the library. Nested regions are allowed, so that
 * nothing but the library's own restraint keeps it from starting threads. */
static void calls_from_a_region_run_on_one_thread(void **state) {
  (void)state;
  enum { TEAM = 3 };
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const int levels = omp_get_max_active_levels();
  omp_set_max_active_levels(4);
#pragma omp parallel num_threads(TEAM)
  (void)omp_get_thread_num();
  for (size_t e = 0; e < count; e++) {
    HostCase c = host_case_new(e);
    Outcome outcomes[TEAM] = {{.wrong = NULL}};
    const size_t before = count_threads();
#pragma omp parallel num_threads(TEAM)
    {
      Outcome *const mine = &outcomes[omp_get_thread_num()];
      mine->observer.expected = host_state();
      /* OpenBLAS's count is of all threads, and another of them may be within a call. */
      for (int round = 0; round < 5 && !mine->wrong; round++)
        mine->wrong = host_case_use(&c, engines[e], THREADS, NULL, NULL);
      mine->observer.expected.blas_threads = openblas_get_num_threads();
      observe(&mine->observer, "all of them");
    }
    assert_int_equal(count_threads(), before);
    for (size_t t = 0; t < TEAM; t++) {
      if (outcomes[t].wrong || outcomes[t].observer.changed)
        fail_msg("path=%s isa=%s: %s; changed: %s", attend_path_name(engines[e].path),
                 attend_isa_name(engines[e].isa), outcomes[t].wrong ? outcomes[t].wrong : "right",
                 outcomes[t].observer.changed ? outcomes[t].observer.changed : "nothing");
    }
    host_case_free(&c);
  }
  omp_set_max_active_levels(levels);
}

static void threads_stay_after_a_region(void **state) {
  (void)state;
  const HostState before = host_state();
  calls_from_a_region_run_on_one_thread(NULL);
  const HostState after = host_state();
  assert_null(host_difference(&before, &after));
}

/* ---- products of the host at the same time ---- */

typedef struct Products {
  const float *a, *b, *expected;
  const bool *stop;
  size_t done, wrong;
} Products;

static void *multiply(void *user) {
  Products *const products = user;
  float *const c = malloc(N * N * sizeof *c);
  if (!c) return NULL;
  do {
    memset(c, 0, N * N * sizeof *c);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, products->a, N, products->b,
                N, 0, c, N);
    for (size_t i = 0; i < N * N; i++)
      products->wrong += fabsf(c[i] - products->expected[i]) > 1e-4f;
    products->done++;
  } while (!__atomic_load_n(products->stop, __ATOMIC_ACQUIRE));
  free(c);
  return NULL;
}

/* With as many threads in a context as OpenBLAS has, nothing is changed under a product's feet. */
static void multiply_beside(size_t threads) {
  float *const a = new_random(1, 1.0f, N * N), *const b = new_random(2, 1.0f, N * N);
  float *const expected = new_bytes(N * N * sizeof *expected);
  bool stop = false;
  Products products = {a, b, expected, &stop, 0, 0};
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, expected, N);
  pthread_t host;
  assert_int_equal(pthread_create(&host, NULL, multiply, &products), 0);
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  const char *wrong = NULL;
  for (size_t e = 0; e < count && !wrong; e++) {
    HostCase c = host_case_new(e);
    for (int round = 0; round < 5 && !wrong; round++)
      wrong = host_case_use(&c, engines[e], threads, NULL, NULL);
    host_case_free(&c);
  }
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  assert_int_equal(pthread_join(host, NULL), 0);
  if (wrong) fail_msg("%s", wrong);
  assert_true(products.done > 0);
  assert_int_equal(products.wrong, 0);
  free(a);
  free(b);
  free(expected);
}

static void products_at_the_same_time(void **state) {
  (void)state;
  multiply_beside((size_t)openblas_get_num_threads());
}

/* Nor with one thread, where OpenBLAS takes its threads from OpenMP. */
static void products_beside_one_thread(void **state) {
  (void)state;
  if (openblas_get_parallel() == OPENBLAS_OPENMP) multiply_beside(1);
}

int main(void) {
  alarm(SECONDS_AT_MOST);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(own_work_goes_on),
      cmocka_unit_test(calls_from_a_region_run_on_one_thread),
      cmocka_unit_test(threads_stay_after_a_region),
      cmocka_unit_test(products_at_the_same_time),
      cmocka_unit_test(products_beside_one_thread),
  };
  return cmocka_run_group_tests_name("host_work", tests, NULL, NULL);
}
