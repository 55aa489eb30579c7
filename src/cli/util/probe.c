/* probe.c - sgemm under another core of OpenBLAS, measured by a child process.
 *
 * Owns the child and the pipe that its figure comes through. One child runs at a time and no other
 * measurement runs beside it. The child is spawned, not forked, because this process may have
 * threads.
 */
#include "cli/util/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/yardstick.h"
#include "cli/message.h"

/* Rounds over the two cores: enough that one disturbance does not decide. */
#define ROUNDS 3

int probe_answer(size_t threads, double seconds) {
  printf("%.17g\n", yardstick_sgemm(threads, seconds));
  return finish_stdout();
}

/* Starts the child with its standard output on `output`. Returns 0 or an errno. */
static int spawn_child(const BlasCoreState *state, const char *core, size_t threads, double seconds,
                       int output, pid_t *child) {
  char threads_text[24], seconds_text[32];
  snprintf(threads_text, sizeof threads_text, "%zu", threads);
  snprintf(seconds_text, sizeof seconds_text, "%.3f", seconds);
  const char *const arguments[] = {"attend",     "info",          "--blas-core", core, "--seconds",
                                   seconds_text, "--probe-sgemm", threads_text,  NULL};
  char **environment = blas_core_environment(state, core);
  if (environment == NULL) return ENOMEM;
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error == 0) {
    error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0) {
      error = posix_spawn(child, "/proc/self/exe", &actions, NULL, (char *const *)arguments,
                          environment);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  free(environment);
  return error;
}

/* Reads what the child prints until it ends, and reaps it. True if it ended well. */
static bool collect_child(int input, pid_t child, char *text, size_t size) {
  size_t length = 0;
  for (;;) {
    const ssize_t count = read(input, text + length, size - 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += (size_t)count;
  }
  text[length] = '\0';
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* GFLOP/s of sgemm under `core`, or 0 with the sentence printed. */
static double measure_under(const BlasCoreState *state, const char *core, size_t threads,
                            double seconds) {
  int ends[2];
  if (pipe(ends) != 0) {
    failure("sgemm under %s was not measured: %s.", core, strerror(errno));
    return 0;
  }
  /* The child must not inherit these ends, or this process would never see the end of the pipe. */
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  pid_t child = 0;
  const int error = spawn_child(state, core, threads, seconds, ends[1], &child);
  close(ends[1]);
  char text[64] = "";
  const bool ended_well = error == 0 && collect_child(ends[0], child, text, sizeof text);
  close(ends[0]);
  const double gflops = ended_well ? strtod(text, NULL) : 0;
  if (gflops <= 0) {
    failure("sgemm under %s was not measured: %s.", core,
            error != 0 ? strerror(error) : "the process that was to measure it failed");
  }
  return gflops;
}

bool probe_compare(const BlasCoreState *core, size_t threads, double seconds,
                   CoreComparison *comparison) {
  double low = 0, high = 0;
  const char *best = core->origin == BLAS_CORE_RESTART ? core->name : core->best;
  for (size_t round = 0; round < ROUNDS; round++) {
    const double low_now = measure_under(core, core->before, threads, seconds);
    if (low_now <= 0) return false;
    const double high_now = measure_under(core, best, threads, seconds);
    if (high_now <= 0) return false;
    if (low_now > low) low = low_now;
    if (high_now > high) high = high_now;
  }
  *comparison = (CoreComparison){.threads = threads, .low_gflops = low, .high_gflops = high};
  snprintf(comparison->low, sizeof comparison->low, "%s", core->before);
  snprintf(comparison->high, sizeof comparison->high, "%s", best);
  return true;
}
