/* test_host_fork.c - inside a host that forks.
 *
 * libgomp waits forever in a child whose parent had opened a parallel region; a call of the library
 * must come back there all the same, with the right result and on the calling thread. A child is
 * told from a hanging one by time. Exit statuses of the children carry the verdict, for only the
 * parent may assert.
 */
#include <dirent.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/full_layer.h"

enum { SECONDS_PER_CHILD = 60, TOKENS = 30, THREADS = 3 };
enum Verdict { RIGHT = 0, FAILED = 1, WRONG = 2, THREADS_STARTED = 3, NO_THREADS_STARTED = 4 };

typedef struct Host {
  FullLayer layer;
  float *x, *y; /* [TOKENS, E] */
  double *expected;
} Host;

static Host host_new(void) {
  Host host;
  assert_true(full_layer_new(2, &host.layer));
  host.x = new_random(95, 1.0f, TOKENS * host.layer.spec.shape.width);
  host.y = new_bytes(TOKENS * host.layer.spec.shape.width * sizeof *host.y);
  host.expected = full_layer_expect(&host.layer, TOKENS, host.x, NULL);
  return host;
}

static void host_free(Host *host) {
  full_layer_free(&host->layer);
  free(host->x);
  free(host->y);
  free(host->expected);
}

static size_t count_threads(void) {
  size_t count = 0;
  DIR *const tasks = opendir("/proc/self/task");
  for (const struct dirent *entry; tasks && (entry = readdir(tasks));)
    count += *entry->d_name != '.';
  if (tasks) closedir(tasks);
  return count;
}

static enum Verdict forward(const Host *host, AttendContext *context,
                            const AttendWeights *weights) {
  const size_t width = host->layer.spec.shape.width;
  memset(host->y, 0xff, TOKENS * width * sizeof *host->y);
  if (attend_layer_forward(context, weights, NULL, 1, TOKENS, host->x, &host->layer.options,
                           host->y))
    return FAILED;
  for (size_t i = 0; i < TOKENS * width; i++)
    if (!is_close((double)host->y[i], host->expected[i], fixed_allowance(host->expected[i])))
      return WRONG;
  return RIGHT;
}

/* A context of its own, every engine. */
static enum Verdict use(const Host *host) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  enum Verdict verdict = RIGHT;
  for (size_t e = 0; e < count && verdict == RIGHT; e++) {
    const AttendSettings settings = engine_settings(engines[e], THREADS);
    const AttendWeightSource source = full_layer_source(&host->layer);
    AttendContext *context = NULL;
    AttendWeights *weights = NULL;
    verdict = attend_open(&context, &settings) ||
                      attend_pack_weights(context, &host->layer.spec.shape, &source, &weights)
                  ? FAILED
                  : forward(host, context, weights);
    attend_free_weights(&weights);
    attend_close(&context);
  }
  return verdict;
}

/* OpenBLAS's build on pthreads starts threads of its own again, though it gives them no work. */
static bool has_own_threads(void) {
  AttendMachine machine;
  return attend_describe_machine(&machine) || machine.blas_threading == 1;
}

static enum Verdict use_on_one_thread(const Host *host) {
  const enum Verdict verdict = use(host);
  if (has_own_threads()) return verdict;
  return verdict ? verdict : count_threads() == 1 ? RIGHT : THREADS_STARTED;
}

static enum Verdict use_many_threads(const Host *host) {
  const enum Verdict verdict = use(host);
  return verdict ? verdict : count_threads() > 1 ? RIGHT : NO_THREADS_STARTED;
}

static enum Verdict fork_again(const Host *host);

typedef enum Verdict (*Child)(const Host *host);

/* The exit status of a child that does this, or minus the number of the signal that ended it. */
static int in_child(const Host *host, Child child) {
  fflush(NULL);
  const pid_t id = fork();
  if (id == 0) {
    alarm(SECONDS_PER_CHILD);
    _exit((int)child(host));
  }
  int status = 0;
  if (id < 0 || waitpid(id, &status, 0) != id) return FAILED;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static enum Verdict fork_again(const Host *host) {
  return in_child(host, use_on_one_thread) == 0 ? use_on_one_thread(host) : FAILED;
}

/* This comes first: later cases give the process threads. OpenBLAS's build on pthreads has some
 * from the start, so that the number of threads is looked at where there is one at the fork. */
static void child_of_one_thread_uses_all(void **state) {
  (void)state;
  Host host = host_new();
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  const bool alone = count_threads() == 1;
  /* OpenMP from LLVM counts no more threads than there are until it opens a region. */
  if (machine.blas_threading == 2) assert_true(alone);
  assert_int_equal(in_child(&host, alone ? use_many_threads : use), RIGHT);
  host_free(&host);
}

static void child_after_the_library_used_threads(void **state) {
  (void)state;
  Host host = host_new();
  assert_int_equal(use(&host), RIGHT);
  assert_true(count_threads() > 1);
  assert_int_equal(in_child(&host, use_on_one_thread), RIGHT);
  host_free(&host);
}

static void child_after_the_host_used_threads(void **state) {
  (void)state;
  Host host = host_new();
  int team = 0;
#pragma omp parallel num_threads(THREADS) reduction(+ : team)
  team += 1;
  assert_int_equal(team, THREADS);
  assert_int_equal(in_child(&host, use_on_one_thread), RIGHT);
  host_free(&host);
}

static void count_matrix(void *user, const AttendMatrix *matrix) {
  (void)matrix;
  ++*(size_t *)user;
}

/* The scores that a tap is shown are a product of their own, here one that is worth several
 * threads. */
static enum Verdict show_on_one_thread(const Host *host) {
  (void)host;
  static float input[300 * 64], out[300 * 64];
  const AttendShape shape = {1, 300, 300, 1, 1, 64, 64};
  const AttendView view = attend_view_bnhd(input, 300, 1, 64);
  const Engine engine = {ATTEND_PATH_BLAS, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32};
  const AttendSettings settings = engine_settings(engine, THREADS);
  size_t matrices = 0;
  AttendContext *context = NULL;
  const bool failed = attend_open(&context, &settings) ||
                      attend_set_tap(context, count_matrix, &matrices) ||
                      attend_core_forward(context, &shape, view, view, view, NULL,
                                          attend_output_bnhd(out, 300, 1, 64), NULL);
  attend_close(&context);
  if (failed || matrices == 0) return FAILED;
  return has_own_threads() || count_threads() == 1 ? RIGHT : THREADS_STARTED;
}

static void taps_in_a_child(void **state) {
  (void)state;
  Host host = host_new();
  assert_int_equal(use(&host), RIGHT);
  assert_int_equal(in_child(&host, show_on_one_thread), RIGHT);
  host_free(&host);
}

static void grandchild(void **state) {
  (void)state;
  Host host = host_new();
  assert_int_equal(use(&host), RIGHT);
  assert_int_equal(in_child(&host, fork_again), RIGHT);
  host_free(&host);
}

/* What a context of the parent becomes in the child. */
static AttendContext *inherited_context;
static AttendWeights *inherited_weights;

static enum Verdict use_inherited(const Host *host) {
  for (int round = 0; round < 3; round++) {
    const enum Verdict verdict = forward(host, inherited_context, inherited_weights);
    if (verdict) return verdict;
  }
  attend_free_weights(&inherited_weights);
  attend_close(&inherited_context);
  return RIGHT;
}

static void contexts_are_inherited(void **state) {
  (void)state;
  Host host = host_new();
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  for (size_t e = 0; e < count; e++) {
    inherited_context = engine_open(engines[e], THREADS);
    inherited_weights = full_layer_pack(inherited_context, &host.layer);
    assert_int_equal(forward(&host, inherited_context, inherited_weights), RIGHT);
    for (int child = 0; child < 3; child++) {
      assert_int_equal(in_child(&host, use_inherited), RIGHT);
      assert_int_equal(forward(&host, inherited_context, inherited_weights), RIGHT);
    }
    attend_free_weights(&inherited_weights);
    attend_close(&inherited_context);
  }
  host_free(&host);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(child_of_one_thread_uses_all),
      cmocka_unit_test(child_after_the_library_used_threads),
      cmocka_unit_test(child_after_the_host_used_threads),
      cmocka_unit_test(taps_in_a_child),
      cmocka_unit_test(grandchild),
      cmocka_unit_test(contexts_are_inherited),
  };
  return cmocka_run_group_tests_name("host_fork", tests, NULL, NULL);
}
