/* test_output_file.c - a file that appears whole or not at all: its permissions, what it replaces,
 * links on the way, and what a failure leaves. The library's writers and the tool's share it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/output_file.h"
#include "tests/support/scratch.h"

static void open_good(OutputFile *file, const char *path) {
  if (!output_file_open(file, path)) fail_msg("%s: %s", path, strerror(errno));
}

static void write_good(const char *path, const char *text) {
  OutputFile file;
  open_good(&file, path);
  fputs(text, file.stream);
  assert_true(output_file_commit(&file));
  assert_null(file.stream);
}

static void assert_holds(const char *path, const char *text) {
  size_t length;
  unsigned char *const bytes = scratch_read(path, &length);
  assert_int_equal(length, strlen(text));
  assert_memory_equal(bytes, text, length);
  free(bytes);
}

static void assert_mode(const char *path, mode_t mode) {
  struct stat facts;
  assert_int_equal(lstat(path, &facts), 0);
  assert_true(S_ISREG(facts.st_mode));
  assert_int_equal(facts.st_mode & 07777, mode);
}

static void assert_link(const char *path) {
  struct stat facts;
  assert_int_equal(lstat(path, &facts), 0);
  assert_true(S_ISLNK(facts.st_mode));
}

/* Nothing is seen at the path before the commit, and nothing beside it afterwards. */
static void a_file_appears_when_it_is_committed(void **state) {
  char path[SCRATCH_PATH_SIZE];
  OutputFile file;
  scratch_path(state, "new", path);
  const size_t entries = scratch_count(state);
  open_good(&file, path);
  fputs("first, ", file.stream);
  output_file_write(&file, "second", 6);
  assert_int_equal(access(path, F_OK), -1);
  assert_true(output_file_commit(&file));
  assert_holds(path, "first, second");
  assert_int_equal(scratch_count(state), entries + 1);

  open_good(&file, path);
  fputs("third", file.stream);
  output_file_discard(&file);
  output_file_discard(&file);
  assert_holds(path, "first, second");
  assert_int_equal(scratch_count(state), entries + 1);
}

/* A new file has the permissions that the umask leaves, as any file that a program creates. */
static void a_new_file_obeys_the_umask(void **state) {
  static const mode_t masks[] = {0, 022, 027, 077, 0177};
  char path[SCRATCH_PATH_SIZE], name[16];
  for (size_t i = 0; i < COUNT_OF(masks); i++) {
    snprintf(name, sizeof name, "umask-%zu", i);
    scratch_path(state, name, path);
    const mode_t before = umask(masks[i]);
    write_good(path, "text");
    umask(before);
    assert_mode(path, 0666 & ~masks[i]);
  }
}

static void an_existing_file_keeps_its_permissions(void **state) {
  static const mode_t modes[] = {0600, 0640, 0666, 0755};
  char path[SCRATCH_PATH_SIZE];
  scratch_path(state, "existing", path);
  scratch_write(path, "before", 6);
  for (size_t i = 0; i < COUNT_OF(modes); i++) {
    assert_int_equal(chmod(path, modes[i]), 0);
    const mode_t before = umask(077);
    write_good(path, "after");
    umask(before);
    assert_mode(path, modes[i]);
    assert_holds(path, "after");
  }
}

/* Whoever has the old file open still reads the old file. */
static void an_existing_file_is_replaced_and_not_rewritten(void **state) {
  char path[SCRATCH_PATH_SIZE], text[8] = "";
  scratch_path(state, "replaced", path);
  scratch_write(path, "before", 6);
  FILE *const reader = fopen(path, "r");
  assert_non_null(reader);
  write_good(path, "after");
  assert_int_equal(fread(text, 1, sizeof text - 1, reader), 6);
  assert_string_equal(text, "before");
  fclose(reader);
}

/* Links stay, and what they lead to is written, in the folder where it is. */
static void links_are_followed(void **state) {
  char path[SCRATCH_PATH_SIZE], link[SCRATCH_PATH_SIZE], second[SCRATCH_PATH_SIZE];
  assert_int_equal(mkdir(scratch_path(state, "elsewhere", path), 0700), 0);
  scratch_path(state, "elsewhere/target", path);
  scratch_path(state, "link", link);
  scratch_path(state, "elsewhere/second", second);
  assert_int_equal(symlink("elsewhere/second", link), 0);
  assert_int_equal(symlink("target", second), 0);
  const size_t entries = scratch_count(state);
  write_good(link, "new"); /* where nothing is yet */
  assert_holds(path, "new");
  write_good(link, "newer");
  assert_holds(path, "newer");
  assert_link(link);
  assert_link(second);
  assert_int_equal(scratch_count(state), entries);

  assert_int_equal(unlink(link), 0);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(symlink(path, link), 0); /* absolute */
  write_good(link, "absolute");
  assert_holds(path, "absolute");
  assert_link(link);
}

static void assert_refused(const char *path, int error) {
  OutputFile file;
  memset(&file, 0xa5, sizeof file);
  errno = 0;
  assert_false(output_file_open(&file, path));
  assert_int_equal(errno, error);
  assert_null(file.stream);
  output_file_discard(&file);
}

static void what_cannot_be_written_is_refused(void **state) {
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE], name[300];
  const Scratch *const made = *state;
  assert_int_equal(symlink("loop-2", scratch_path(state, "loop-1", path)), 0);
  assert_int_equal(symlink("loop-1", scratch_path(state, "loop-2", other)), 0);
  assert_int_equal(mkfifo(scratch_path(state, "pipe", other), 0600), 0);
  const size_t entries = scratch_count(state);
  assert_refused(made->folder, EISDIR);
  assert_refused("", ENOENT);
  assert_refused("/nonexistent/new", ENOENT);
  assert_refused(scratch_path(state, "absent/", path), ENOENT);
  assert_refused(scratch_path(state, "loop-1", path), ELOOP);
  assert_refused(other, ENXIO); /* a pipe that nobody reads */
  char longest[PATH_MAX + 16];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_refused(longest, ENAMETOOLONG);
  assert_int_equal(scratch_count(state), entries);

  /* The longest name that a folder takes, though the temporary one is longer than most. */
  memset(name, 'n', sizeof name);
  snprintf(longest, sizeof longest, "%s/%.255s", made->folder, name);
  write_good(longest, "text");
  assert_holds(longest, "text");
}

static void devices_and_pipes_are_written_to_directly(void **state) {
  char path[SCRATCH_PATH_SIZE], text[8] = "";
  OutputFile file;
  mkfifo(scratch_path(state, "read-pipe", path), 0600);
  const int reader = open(path, O_RDONLY | O_NONBLOCK);
  assert_true(reader >= 0);
  write_good(path, "text");
  assert_int_equal(read(reader, text, sizeof text - 1), 4);
  assert_string_equal(text, "text");
  close(reader);

  int ends[2];
  assert_int_equal(pipe(ends), 0); /* a link under /dev/fd, to something without a name */
  snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
  write_good(path, "TEXT");
  assert_int_equal(read(ends[0], text, sizeof text - 1), 4);
  assert_string_equal(text, "TEXT");
  close(ends[0]);
  close(ends[1]);

  write_good("/dev/null", "text");
  open_good(&file, "/dev/full");
  output_file_write(&file, "text", 4);
  assert_false(output_file_commit(&file));
  assert_int_equal(errno, ENOSPC);
}

/* Of a file that may have no more than 4 KiB: by fwrite() and by the call that remembers errno. */
static void a_failure_leaves_what_was_there(void **state) {
  static char text[1 << 16];
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
  OutputFile file;
  struct rlimit before, low;
  scratch_path(state, "kept", path);
  scratch_path(state, "never", other);
  scratch_write(path, "before", 6);
  const size_t entries = scratch_count(state);
  void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  low = (struct rlimit){4096, before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
  for (size_t i = 0; i < 4; i++) {
    open_good(&file, i & 1 ? path : other);
    if (i & 2)
      fwrite(text, 1, sizeof text, file.stream);
    else
      output_file_write(&file, text, sizeof text);
    const bool committed = output_file_commit(&file);
    if (committed || errno != EFBIG) fail_msg("case %zu: %s", i, strerror(errno));
    assert_null(file.stream);
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  assert_holds(path, "before");
  assert_int_equal(scratch_count(state), entries);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_appears_when_it_is_committed),
      cmocka_unit_test(a_new_file_obeys_the_umask),
      cmocka_unit_test(an_existing_file_keeps_its_permissions),
      cmocka_unit_test(an_existing_file_is_replaced_and_not_rewritten),
      cmocka_unit_test(links_are_followed),
      cmocka_unit_test(what_cannot_be_written_is_refused),
      cmocka_unit_test(devices_and_pipes_are_written_to_directly),
      cmocka_unit_test(a_failure_leaves_what_was_there),
  };
  return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
