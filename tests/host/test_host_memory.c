/* test_host_memory.c - inside a host whose memory has run out, as a limit of the process makes it.
 *
 * OpenBLAS ends the process where a product on several threads gets no memory. A child takes all
 * that its limit leaves and then makes a call whose workspace is there already; it must come back
 * with the result that it gave before. The exit status carries the verdict, for only the parent may
 * assert.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/support.h"

enum { TOKENS = 100, WIDTH = 128, SECONDS = 60 };
enum Verdict {
  RIGHT = 0,
  ENDED_BY_OTHERS = 1,
  NOT_OPENED = 2,
  MEMORY_LEFT = 3,
  REFUSED = 4,
  WRONG = 5
};

static const AttendLayerShape layer_shape = {WIDTH, 4, 4, 32, 32};

/* Bytes of address space that the process has; 0 if that is not known. */
static size_t address_space(void) {
  size_t pages = 0;
  FILE *const file = fopen("/proc/self/statm", "r");
  if (file && fscanf(file, "%zu", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Takes what there is, in ever smaller pieces. Nothing is given back: the process is about to
 * end. */
static bool take_all_memory(void) {
  const size_t now = address_space();
  const struct rlimit limit = {now + 4096, RLIM_INFINITY};
  if (!now || setrlimit(RLIMIT_AS, &limit)) return false;
  for (size_t bytes = (size_t)1 << 20; bytes >= 1024; bytes /= 2) {
    for (const void *volatile piece = &bytes; piece;) piece = malloc(bytes);
  }
  return true;
}

static enum Verdict call_without_memory(AttendContext *context, const AttendWeights *weights,
                                        const float *x) {
  static float before[TOKENS * WIDTH], after[TOKENS * WIDTH];
  if (attend_layer_forward(context, weights, NULL, 1, TOKENS, x, NULL, before)) return NOT_OPENED;
  if (!take_all_memory()) return MEMORY_LEFT;
  if (attend_layer_forward(context, weights, NULL, 1, TOKENS, x, NULL, after)) return REFUSED;
  for (size_t i = 0; i < TOKENS * WIDTH; i++) {
    if (!is_close((double)after[i], (double)before[i], fixed_allowance((double)before[i])))
      return WRONG;
  }
  return RIGHT;
}

static enum Verdict child(AttendPath path) {
  AttendSettings settings;
  attend_default_settings(&settings);
  settings.threads = 2;
  settings.path = path;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  float *const matrix = new_random(1, 0.1f, 3 * WIDTH * WIDTH);
  source.qkv = source.output = matrix;
  float *const x = new_random(2, 1.0f, TOKENS * WIDTH);
  AttendContext *context = NULL;
  AttendWeights *weights = NULL;
  if (attend_open(&context, &settings) ||
      attend_pack_weights(context, &layer_shape, &source, &weights))
    return NOT_OPENED;
  return call_without_memory(context, weights, x);
}

/* Forked while the process has one thread, so that the child may have more. */
static void check_path(AttendPath path) {
  fflush(NULL);
  const pid_t id = fork();
  assert_true(id >= 0);
  if (id == 0) {
    alarm(SECONDS);
    _exit((int)child(path));
  }
  int status = 0;
  assert_int_equal(waitpid(id, &status, 0), id);
  if (status) {
    fail_msg("path %s: the child exited with %d, signal %d", attend_path_name(path),
             WEXITSTATUS(status), WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  }
}

static void projections_on_one_thread(void **state) {
  (void)state;
  check_path(ATTEND_PATH_TILED);
  check_path(ATTEND_PATH_BLAS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(projections_on_one_thread),
  };
  return cmocka_run_group_tests_name("host_memory", tests, NULL, NULL);
}
