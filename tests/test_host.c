/* test_host.c - inside a host that computes with OpenBLAS and OpenMP itself.
 *
 * After every call the host finds its settings as it left them: threads of OpenBLAS and OpenMP, rounding
 * and traps, dispositions and mask of signals. Within the host's own parallel region a call runs on the
 * thread that makes it and ends. What a layer gives is held against the oracle throughout.
 */
#include <cblas.h>
#include <fenv.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/full_layer.h"

/* A deadlock ends the program. */
enum { SECONDS_AT_MOST = 300 };
/* A prompt of more rows than the projection kernel takes, so that OpenBLAS has a part; then decode. */
enum { PROMPT = 30, TOKENS = 32 };
enum { THREADS = 4, SIGNALS = 65 };

/* ---- what a host may have set ---- */

typedef struct HostState {
  int blas_threads;
  int omp_threads, omp_dynamic, omp_levels, omp_chunk;
  omp_sched_t omp_schedule;
  int rounding, traps;
  unsigned float_control; /* MXCSR without its sticky flags, where there is one */
  struct sigaction actions[SIGNALS];
  sigset_t blocked;
} HostState;

static HostState host_state(void) {
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

/* What differs, or null. */
static const char *difference(const HostState *a, const HostState *b) {
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

static void on_signal(int number) {
  (void)number;
}

/* ---- one user of the library ---- */

typedef struct Case {
  FullLayer layer;
  float *x;  /* [TOKENS, E] */
  double *y; /* the oracle's */
} Case;

static Case case_new(size_t index) {
  Case c;
  assert_true(full_layer_new(index, &c.layer));
  c.x = new_random(95, 1.0f, TOKENS * c.layer.spec.shape.width);
  c.y = full_layer_expect(&c.layer, TOKENS, c.x, NULL);
  return c;
}

static void case_free(Case *c) {
  full_layer_free(&c->layer);
  free(c->x);
  free(c->y);
}

/* Called after each call of the library; null: nobody looks. */
typedef void (*Watch)(void *user, const char *call);

/* Opens everything, feeds a prompt and the tokens after it, closes everything. Returns what went wrong,
 * or null. Asserts nothing, so that any thread may call it. */
static const char *use(const Case *c, Engine engine, size_t threads, Watch watch, void *user) {
  const AttendSettings settings = engine_settings(engine, threads);
  const AttendLayerShape *const shape = &c->layer.spec.shape;
  const AttendWeightSource source = full_layer_source(&c->layer);
  AttendCacheSettings cached;
  attend_default_cache_settings(&cached);
  cached.capacity = TOKENS;
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  AttendCache *cache = NULL;
  AttendMachine machine;
  AttendPlan plan = {.struct_size = sizeof plan};
  float *const y = malloc(TOKENS * shape->width * sizeof *y);
  const char *wrong = y ? NULL : "there is no memory";
#define DO(call)                                                                                   \
  do {                                                                                             \
    if (!wrong && (call) != ATTEND_OK) wrong = #call;                                              \
    if (watch) watch(user, #call);                                                                 \
  } while (0)
  DO(attend_describe_machine(&machine));
  DO(attend_open(&context, &settings));
  DO(attend_pack_weights(context, shape, &source, &weights));
  DO(attend_open_cache(context, shape, &cached, &cache));
  DO(attend_plan_layer(context, shape, 1, PROMPT, 0, true, &c->layer.options, &plan));
  DO(attend_layer_forward(context, weights, cache, 1, PROMPT, c->x, &c->layer.options, y));
  for (size_t t = PROMPT; t < TOKENS; t++)
    DO(attend_layer_forward(context, weights, cache, 1, 1, c->x + t * shape->width,
                            &c->layer.options, y + t * shape->width));
  for (size_t i = 0; i < TOKENS * shape->width && !wrong; i++)
    if (!is_close((double)y[i], c->y[i], fixed_allowance(c->y[i]))) wrong = "the result";
  DO(attend_layer_forward(context, weights, NULL, 1, TOKENS, c->x, &c->layer.options, y));
  for (size_t i = 0; i < TOKENS * shape->width && !wrong; i++)
    if (!is_close((double)y[i], c->y[i], fixed_allowance(c->y[i]))) wrong = "the uncached result";
#undef DO
  attend_close_cache(&cache);
  attend_free_weights(&weights);
  attend_close(&context);
  free(y);
  return wrong;
}

/* ---- settings ---- */

typedef struct Observer {
  HostState expected;
  const char *changed, *call; /* the first change and the call that made it, or null */
} Observer;

static void observe(void *user, const char *call) {
  Observer *const observer = user;
  const HostState now = host_state();
  const char *const changed = difference(&observer->expected, &now);
  if (!changed || observer->changed) return;
  observer->changed = changed;
  observer->call = call;
}

/* Every layer, engine and number of threads, watched call by call. */
static void require_unchanged(const char *setting) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t e = 0; e < count; e++) {
    Case c = case_new(e);
    for (size_t threads = 1; threads <= THREADS; threads++) {
      Observer observer = {.expected = host_state()};
      const char *const wrong = use(&c, engines[e], threads, observe, &observer);
      if (wrong || observer.changed)
        fail_msg("%s, path=%s isa=%s, %zu threads: %s; changed: %s, by %s", setting,
                 attend_path_name(engines[e].path), attend_isa_name(engines[e].isa), threads,
                 wrong ? wrong : "right", observer.changed ? observer.changed : "nothing",
                 observer.call ? observer.call : "none");
    }
    case_free(&c);
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

/* What libgomp asks before it opens a region: a machine so busy that a team is of one thread wherever
 * OpenMP may adjust it. OpenBLAS must not be asked to work with fewer threads than it counts on. */
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
    Case c = case_new(i);
    fesetround(directions[i]);
    Observer observer = {.expected = host_state()};
    const char *const wrong =
        use(&c, (Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO}, 2, observe, &observer);
    fesetround(FE_TONEAREST);
    if (wrong || observer.changed)
      fail_msg("rounding %zu: %s; changed: %s", i, wrong ? wrong : "right",
               observer.changed ? observer.changed : "nothing");
    case_free(&c);
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

/* ---- the host's own work ---- */

enum { N = 150 };

/* Products and parallel loops of the host between calls, with as many threads as it asked for. */
static void own_work_goes_on(void **state) {
  (void)state;
  float *const a = new_random(1, 1.0f, N * N), *const b = new_random(2, 1.0f, N * N);
  float *const first = new_bytes(N * N * sizeof *first), *const c = new_bytes(N * N * sizeof *c);
  Case layer = case_new(0);
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
    if (i < count) assert_null(use(&layer, engines[i], 2, NULL, NULL));
  }
  omp_set_num_threads(omp);
  case_free(&layer);
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
    Case c = case_new(e);
    Outcome outcomes[TEAM] = {{.wrong = NULL}};
    const size_t before = count_threads();
#pragma omp parallel num_threads(TEAM)
    {
      Outcome *const mine = &outcomes[omp_get_thread_num()];
      mine->observer.expected = host_state();
      /* OpenBLAS's count is of all threads, and another of them may be within a call. */
      for (int round = 0; round < 5 && !mine->wrong; round++)
        mine->wrong = use(&c, engines[e], THREADS, NULL, NULL);
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
    case_free(&c);
  }
  omp_set_max_active_levels(levels);
}

static void threads_stay_after_a_region(void **state) {
  (void)state;
  const HostState before = host_state();
  calls_from_a_region_run_on_one_thread(NULL);
  const HostState after = host_state();
  assert_null(difference(&before, &after));
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
    Case c = case_new(e);
    for (int round = 0; round < 5 && !wrong; round++)
      wrong = use(&c, engines[e], threads, NULL, NULL);
    case_free(&c);
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
      cmocka_unit_test(threads_stay),
      cmocka_unit_test(openmp_stays),
      cmocka_unit_test(floating_point_stays),
      cmocka_unit_test(signals_stay),
      cmocka_unit_test(own_work_goes_on),
      cmocka_unit_test(calls_from_a_region_run_on_one_thread),
      cmocka_unit_test(threads_stay_after_a_region),
      cmocka_unit_test(products_at_the_same_time),
      cmocka_unit_test(products_beside_one_thread),
  };
  return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
