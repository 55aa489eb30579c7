/* fork_guard.c - watches the forks of the host.
 *
 * fork() copies the calling thread alone. libgomp keeps the pool of each thread that has opened a
 * parallel region and cannot tell that its members are gone, and it has no handler of its own; so
 * this file has one. It owns one flag of the process, which is set in a child before fork() returns
 * there and never cleared: a grandchild inherits the pool that its parent could not use. It changes
 * nothing of OpenMP's, and a child whose parent had one thread at the fork uses all its threads.
 */
#include "platform/fork_guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Written between fork()'s handlers only, when no call of the library may be under way. */
static struct {
  bool parent_has_threads;
  bool lost_threads;
} state;

/* Field 20 of /proc/self/stat counts the threads; the names before it are skipped from the last
 * ")", which closes field 2. True where it cannot be read. Handlers of fork() must not allocate. */
static bool has_threads(void) {
  char text[512];
  const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return true;
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return true;
  text[length] = '\0';
  const char *field = strrchr(text, ')');
  for (int number = 2; field && number < 20; number++) field = strchr(field + 1, ' ');
  return !field || strncmp(field, " 1 ", 3) != 0;
}

static void before_fork(void) {
  state.parent_has_threads = has_threads();
}

static void in_child(void) {
  if (state.parent_has_threads) state.lost_threads = true;
}

/* The host may have opened parallel regions before its first call of this library. */
__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(before_fork, NULL, in_child);
}

bool fork_guard_lost_threads(void) {
  return state.lost_threads;
}
