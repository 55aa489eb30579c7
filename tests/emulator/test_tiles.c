/* test_tiles.c - AMX's tiles around calls of the library: the permission to have any, those of the
 * host, of its signal handlers and of its threads.
 *
 * Tiles and their configuration are scratch across a call, and none are in use after it. Permission
 * is the process's, for good and for its children, so that children in which it is refused come
 * first, then threads that were there before it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__linux__)
#  include <linux/filter.h>
#  include <linux/seccomp.h>
#  include <stddef.h>
#  include <sys/prctl.h>
#  include <sys/syscall.h>
#endif

#include "tests/emulator/host_tiles.h"
#include "tests/support/core_check.h"
#include "tests/support/core_result.h"
#include "tests/support/full_layer.h"

enum { SECONDS_PER_CHILD = 60 };

/* Two blocks of rows, and part of a second tile of keys. */
static const CoreCase core_case = {.shape = {1, 40, 150, 2, 1, 32, 32}, .q_start = 110};

static const AttendPrecision precisions[] = {ATTEND_PRECISION_BF16, ATTEND_PRECISION_BF16X3,
                                             ATTEND_PRECISION_BF16X6};

static Engine amx(AttendPrecision precision) {
  return (Engine){ATTEND_PATH_TILED, ATTEND_ISA_AMX, precision};
}

static bool amx_is_under_test(void) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t k = 0; k < count; k++)
    if (isas[k] == ATTEND_ISA_AMX) return true;
  return false;
}

/* ---- permission ---- */

enum Verdict { RIGHT, PERMITTED_BEFORE, NOT_REFUSED, STILL_AMX, NOT_AMX, WRONG, FAILED };
static const char *const verdicts[] = {"right",
                                       "there was permission before anybody asked",
                                       "AMX was opened without permission",
                                       "without permission the plan does not say AVX512_BF16",
                                       "the plan does not say AMX with permission",
                                       "the result is wrong",
                                       "a call failed"};

/* The ISA that AUTO takes for a precision, by the plan; checks the result against the oracle. */
static enum Verdict run_best(CoreProblem *problem, AttendPrecision precision, AttendIsa *isa) {
  AttendSettings settings = engine_settings(amx(precision), 1);
  settings.isa = ATTEND_ISA_AUTO;
  AttendContext *context = NULL;
  AttendPlan plan = {.struct_size = sizeof plan};
  char difference[DIFFERENCE_SIZE];
  enum Verdict verdict = FAILED;
  if (attend_open(&context, &settings) == ATTEND_OK &&
      attend_plan_core(context, &problem->spec.shape, &problem->options, &plan) == ATTEND_OK) {
    problem->precision = precision;
    problem_expect(problem);
    verdict = problem_matches(problem, context, difference) ? RIGHT : WRONG;
  }
  attend_close(&context);
  *isa = plan.isa;
  return verdict;
}

static enum Verdict run_without_permission(CoreProblem *problem) {
  for (size_t p = 0; p < COUNT_OF(precisions); p++) {
    const AttendSettings settings = engine_settings(amx(precisions[p]), 1);
    AttendContext *context = NULL;
    if (attend_open(&context, &settings) != ATTEND_STATUS_ISA_UNAVAILABLE || context)
      return NOT_REFUSED;
    AttendIsa isa;
    const enum Verdict verdict = run_best(problem, precisions[p], &isa);
    if (verdict != RIGHT) return verdict;
    if (isa != ATTEND_ISA_AVX512_BF16) return STILL_AMX;
  }
  return RIGHT;
}

/* The frame of a signal with tiles has 11 KiB; permission is refused while a thread has a smaller
 * stack for it, and given when it no longer has. */
static enum Verdict small_signal_stack(CoreProblem *problem) {
  static char memory[8192];
  const stack_t small = {.ss_sp = memory, .ss_size = sizeof memory};
  const stack_t none = {.ss_flags = SS_DISABLE};
  if (host_tiles_permitted()) return PERMITTED_BEFORE;
  if (sigaltstack(&small, NULL)) return FAILED;
  enum Verdict verdict = run_without_permission(problem);
  if (verdict != RIGHT) return verdict;
  if (sigaltstack(&none, NULL)) return FAILED;
  AttendIsa isa;
  verdict = run_best(problem, ATTEND_PRECISION_BF16, &isa);
  return verdict != RIGHT ? verdict : isa == ATTEND_ISA_AMX ? RIGHT : NOT_AMX;
}

/* A sandbox that lets nobody ask. */
static enum Verdict filtered_request(CoreProblem *problem) {
  if (host_tiles_permitted()) return PERMITTED_BEFORE;
#if defined(__x86_64__) && defined(__linux__)
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1023, 0, 1), /* ARCH_REQ_XCOMP_PERM */
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),  /* EPERM */
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog filter = {COUNT_OF(program), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return FAILED;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return FAILED;
#endif
  return run_without_permission(problem);
}

static void require_in_child(enum Verdict (*child)(CoreProblem *problem)) {
  CoreProblem problem = problem_new(&core_case);
  fflush(NULL);
  const pid_t id = fork();
  if (id == 0) {
    alarm(SECONDS_PER_CHILD);
    _exit((int)child(&problem));
  }
  int status = 0;
  assert_true(id > 0 && waitpid(id, &status, 0) == id);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) != RIGHT) fail_msg("%s", verdicts[WEXITSTATUS(status)]);
  problem_free(&problem);
}

static void falls_back_where_a_signal_stack_is_too_small(void **state) {
  (void)state;
  require_in_child(small_signal_stack);
}

static void falls_back_where_asking_is_forbidden(void **state) {
  (void)state;
  require_in_child(filtered_request);
}

/* ---- a core call that may be made anywhere ---- */

/* The operands of the call, and its undisturbed result. Repeating the call allocates nothing. */
typedef struct Repeated {
  CoreProblem problem;
  AttendContext *context;
  AttendOutputView out;
  float *data;
  size_t floats;
  Result undisturbed;
} Repeated;

static Repeated repeated_new(AttendPrecision precision) {
  Repeated call = {.problem = problem_new(&core_case), .context = engine_open(amx(precision), 1)};
  const AttendShape *const s = &core_case.shape;
  call.undisturbed = core_run_problem(&call.problem, amx(precision), 1);
  call.floats = call.undisturbed.out_floats;
  call.data = new_bytes(call.floats * sizeof *call.data);
  call.out = attend_output_bnhd(call.data, s->query_tokens, s->query_heads, s->value_dim);
  return call;
}

static void repeated_free(Repeated *call) {
  problem_free(&call->problem);
  attend_close(&call->context);
  result_free(&call->undisturbed);
  free(call->data);
}

/* Whether it gives the same bits again. */
static bool repeats(Repeated *call) {
  const CoreProblem *const p = &call->problem;
  memset(call->data, 0xff, call->floats * sizeof *call->data);
  return attend_core_forward(call->context, &p->spec.shape, p->query, p->key, p->value, &p->options,
                             call->out, NULL) == ATTEND_OK &&
         memcmp(call->data, call->undisturbed.out, call->floats * sizeof *call->data) == 0;
}

/* ---- threads ---- */

enum { MAX_WORKERS = 32, ROUNDS = 20 };

typedef struct Worker {
  pthread_t thread;
  pthread_barrier_t *start;
  Repeated *call; /* its own; null until the permission is there */
  size_t wrong;
} Worker;

static void *work(void *user) {
  Worker *const worker = user;
  pthread_barrier_wait(worker->start);
  for (size_t round = 0; round < ROUNDS; round++) {
    worker->wrong += !repeats(worker->call);
    worker->wrong += !host_tiles_multiply();
    host_tiles_hold(); /* so that there are tiles to save while others run */
    sched_yield();
  }
  return NULL;
}

/* Twice as many as there are processors, all of them there before the permission. */
static void threads_share_processors(void **state) {
  (void)state;
  const size_t processors = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
  const size_t count = 2 * processors + 1 < MAX_WORKERS ? 2 * processors + 1 : MAX_WORKERS;
  Worker workers[MAX_WORKERS];
  Repeated calls[MAX_WORKERS];
  pthread_barrier_t start;
  assert_int_equal(pthread_barrier_init(&start, NULL, (unsigned)count + 1), 0);
  assert_false(host_tiles_permitted());
  for (size_t w = 0; w < count; w++) {
    workers[w] = (Worker){.start = &start, .call = &calls[w]};
    assert_int_equal(pthread_create(&workers[w].thread, NULL, work, &workers[w]), 0);
  }
  for (size_t w = 0; w < count; w++) calls[w] = repeated_new(precisions[w % COUNT_OF(precisions)]);
  assert_true(host_tiles_permitted());
  pthread_barrier_wait(&start);
  for (size_t w = 0; w < count; w++) {
    assert_int_equal(pthread_join(workers[w].thread, NULL), 0);
    if (workers[w].wrong) fail_msg("thread %zu of %zu: %zu wrong", w, count, workers[w].wrong);
    repeated_free(&calls[w]);
  }
  pthread_barrier_destroy(&start);
}

/* ---- a host with tiles of its own ---- */

/* Prefill through packed weights and a cache, and decode. */
static void run_layer(AttendContext *context, const FullLayer *layer) {
  enum { PROMPT = 40, TOKENS = 42 };
  const AttendLayerShape *const shape = &layer->spec.shape;
  const AttendWeightSource source = full_layer_source(layer);
  AttendWeights *weights = NULL;
  assert_ok(context, attend_pack_weights(context, shape, &source, &weights));
  AttendCache *cache = cache_open(context, shape, 1, TOKENS);
  float *const x = new_random(95, 1.0f, TOKENS * shape->width);
  float *const y = new_bytes(TOKENS * shape->width * sizeof *y);
  for (size_t at = 0, tokens = PROMPT; at < TOKENS; at += tokens, tokens = 1) {
    host_tiles_hold();
    assert_ok(context,
              attend_layer_forward(context, weights, cache, 1, tokens, x + at * shape->width,
                                   &layer->options, y + at * shape->width));
    assert_false(host_tiles_in_use());
    assert_true(host_tiles_multiply());
  }
  free(x);
  free(y);
  attend_close_cache(&cache);
  attend_free_weights(&weights);
}

static void no_tiles_are_left_behind(void **state) {
  (void)state;
  FullLayer layer;
  assert_true(full_layer_new(0, &layer));
  for (size_t p = 0; p < COUNT_OF(precisions); p++) {
    Repeated call = repeated_new(precisions[p]);
    assert_false(host_tiles_in_use());
    assert_true(host_tiles_multiply());
    host_tiles_hold();
    assert_true(host_tiles_in_use());
    assert_true(repeats(&call));
    assert_false(host_tiles_in_use());
    assert_true(host_tiles_multiply());
    run_layer(call.context, &layer);
    repeated_free(&call);
  }
  full_layer_free(&layer);
}

/* ---- signals ---- */

enum { SIGNALS_WITH_TILES = 100, SECONDS_OF_SIGNALS = 60 };

/* The handler's task, and its observations. */
static struct {
  timer_t timer;
  Repeated *call;
  volatile sig_atomic_t handled, with_tiles, wrong;
} handler;

/* The next signal, some time within the next call. */
static void arm(void) {
  const long delay = 20000 + 7919 * (handler.handled % 50); /* nanoseconds */
  const struct itimerspec once = {.it_value = {.tv_nsec = delay}};
  timer_settime(handler.timer, 0, &once, NULL);
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  handler.handled++;
  handler.with_tiles += host_tiles_interrupted(context);
  if (host_tiles_in_use()) handler.wrong++;
  if (!host_tiles_multiply()) handler.wrong++;
  if (!repeats(handler.call)) handler.wrong++;
  if (host_tiles_in_use()) handler.wrong++;
  if (handler.handled % 2) host_tiles_hold(); /* what a handler leaves in tiles ends with it */
  arm();
}

static void disturb(Repeated *call) {
  handler.handled = handler.with_tiles = handler.wrong = 0;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &handler.timer), 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART},
                   before;
  assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
  size_t calls = 0, wrong = 0;
  const time_t end = time(NULL) + SECONDS_OF_SIGNALS;
  arm();
  while (handler.with_tiles < SIGNALS_WITH_TILES && time(NULL) < end) {
    wrong += !repeats(call);
    calls++;
  }
  assert_int_equal(timer_delete(handler.timer), 0);
  assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
  if (wrong || handler.wrong)
    fail_msg("%zu of %zu calls and %d of %d handlers are wrong", wrong, calls, (int)handler.wrong,
             (int)handler.handled);
  if (handler.with_tiles < SIGNALS_WITH_TILES)
    fail_msg("%d of %d signals came while tiles were in use", (int)handler.with_tiles,
             (int)handler.handled);
}

static void signals_change_nothing(void **state) {
  (void)state;
  for (size_t p = 0; p < COUNT_OF(precisions); p++) {
    Repeated call = repeated_new(precisions[p]);
    Repeated own = repeated_new(precisions[(p + 1) % COUNT_OF(precisions)]);
    assert_true(repeats(&call) && repeats(&own)); /* both have their workspace */
    handler.call = &own;
    disturb(&call);
    repeated_free(&call);
    repeated_free(&own);
  }
}

int main(void) {
  if (!amx_is_under_test()) {
    puts("1..0 # SKIP amx is not under test: ATTEND_ISA leaves it out, or this machine has none");
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(falls_back_where_a_signal_stack_is_too_small),
      cmocka_unit_test(falls_back_where_asking_is_forbidden),
      cmocka_unit_test(threads_share_processors),
      cmocka_unit_test(no_tiles_are_left_behind),
      cmocka_unit_test(signals_change_nothing),
  };
  return cmocka_run_group_tests_name("tiles", tests, NULL, NULL);
}
