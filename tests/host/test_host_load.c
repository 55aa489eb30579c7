/* test_host_load.c - inside a host that loads the library with dlopen() and lets go of it again.
 *
 * The host is linked with neither the library nor OpenMP nor OpenBLAS, so that the first dlclose()
 * is the last reference to all of them. What a layer of one head gives is known by hand.
 *
 *   test_host_load PATH_OF_LIBATTEND_SO
 */
#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attend/attend.h"

enum { ROUNDS = 10, TOKENS = 64, HEADS = 8 };

static const char *library_path;

static size_t count_threads(void) {
  size_t count = 0;
  DIR *const tasks = opendir("/proc/self/task");
  assert_non_null(tasks);
  for (const struct dirent *entry; (entry = readdir(tasks));) count += *entry->d_name != '.';
  closedir(tasks);
  return count;
}

/* ISO C has no conversion from what dlsym() returns to a function. */
#define FIND(library, function)                                                                    \
  do {                                                                                             \
    void *const found = dlsym((library), #function);                                               \
    if (!found) fail_msg("%s", dlerror());                                                         \
    *(void **)&function##_ = found;                                                                \
  } while (0)

/* With equal keys a causal row is the mean of the values so far, here 0, 1, 2, ...: i / 2. */
static void use(void *library, AttendPath path) {
  __typeof__(&attend_default_settings) attend_default_settings_;
  __typeof__(&attend_open) attend_open_;
  __typeof__(&attend_core_forward) attend_core_forward_;
  __typeof__(&attend_close) attend_close_;
  FIND(library, attend_default_settings);
  FIND(library, attend_open);
  FIND(library, attend_core_forward);
  FIND(library, attend_close);

  static float query[TOKENS * HEADS], key[TOKENS], value[TOKENS], out[TOKENS * HEADS];
  for (size_t i = 0; i < TOKENS; i++) value[i] = (float)i;
  const AttendShape shape = {1, TOKENS, TOKENS, HEADS, 1, 1, 1};
  AttendSettings settings;
  attend_default_settings_(&settings);
  settings.threads = 3;
  settings.path = path;
  AttendContext *context = NULL;
  assert_int_equal(attend_open_(&context, &settings), ATTEND_OK);
  assert_int_equal(attend_core_forward_(context, &shape, attend_view_bnhd(query, TOKENS, HEADS, 1),
                                        attend_view_bnhd(key, TOKENS, 1, 1),
                                        attend_view_bnhd(value, TOKENS, 1, 1), NULL,
                                        attend_output_bnhd(out, TOKENS, HEADS, 1), NULL),
                   ATTEND_OK);
  attend_close_(&context);
  for (size_t i = 0; i < TOKENS * HEADS; i++)
    assert_true(fabs((double)out[i] - (double)(i / HEADS) / 2) < 1e-4);
}

static void *load(int flags) {
  void *const library = dlopen(library_path, flags);
  if (!library) fail_msg("%s", dlerror());
  return library;
}

static void loads_again_and_again(void **state) {
  (void)state;
  size_t threads = 0;
  for (int round = 0; round < ROUNDS; round++) {
    void *const library = load(round % 2 ? RTLD_LAZY | RTLD_GLOBAL : RTLD_NOW | RTLD_LOCAL);
    for (AttendPath path = ATTEND_PATH_TILED; path <= ATTEND_PATH_NAIVE; path++) use(library, path);
    assert_int_equal(dlclose(library), 0);
    /* Idle threads of OpenMP wake up in code that must still be there. */
    usleep(20000);
    if (round == 0) threads = count_threads();
    assert_int_equal(count_threads(), threads);
  }
}

/* The library has a handler of forks, which must not be called where it was. */
static void forks_after_unloading(void **state) {
  (void)state;
  void *library = load(RTLD_NOW);
  use(library, ATTEND_PATH_AUTO);
  assert_int_equal(dlclose(library), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    use(load(RTLD_NOW), ATTEND_PATH_AUTO);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  library = load(RTLD_NOW);
  use(library, ATTEND_PATH_AUTO);
  assert_int_equal(dlclose(library), 0);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  library_path = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_again_and_again),
      cmocka_unit_test(forks_after_unloading),
  };
  return cmocka_run_group_tests_name("host_load", tests, NULL, NULL);
}
