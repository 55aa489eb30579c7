/* allocation_hook.c - the wrapped allocators.
 *
 * Counters are atomic, since a wrapped call may come from any thread; failures are switched on and
 * off by the one thread that makes the call under test. A realloc() that moves memory is an
 * allocation and a free().
 */
#include "tests/support/allocation_hook.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
  atomic_size_t made, live, bytes, most_bytes;
  atomic_bool failing, and_all_later;
  atomic_size_t asked, passed, failed; /* since hook_fail_after() */
} hook;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **memory, size_t alignment, size_t bytes);
void __real_free(void *memory);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__real_fdopen(int descriptor, const char *mode);
int __real_fclose(FILE *file);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes);
void __wrap_free(void *memory);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
FILE *__wrap_fdopen(int descriptor, const char *mode);
int __wrap_fclose(FILE *file);

size_t hook_made(void) {
  return atomic_load(&hook.made);
}

size_t hook_live(void) {
  return atomic_load(&hook.live);
}

size_t hook_bytes(void) {
  return atomic_load(&hook.bytes);
}

size_t hook_most_bytes(void) {
  return atomic_load(&hook.most_bytes);
}

void hook_watch_bytes(void) {
  atomic_store(&hook.most_bytes, atomic_load(&hook.bytes));
}

void hook_fail_after(size_t passed, bool and_all_later) {
  atomic_store(&hook.asked, 0);
  atomic_store(&hook.failed, 0);
  atomic_store(&hook.passed, passed);
  atomic_store(&hook.and_all_later, and_all_later);
  atomic_store(&hook.failing, true);
}

size_t hook_stop(void) {
  atomic_store(&hook.failing, false);
  return atomic_load(&hook.failed);
}

/* Counts an allocation that is tried; false if it is to fail. */
static bool admit(void) {
  atomic_fetch_add(&hook.made, 1);
  if (!atomic_load(&hook.failing)) return true;
  const size_t before = atomic_fetch_add(&hook.asked, 1), passed = atomic_load(&hook.passed);
  if (before < passed || (before > passed && !atomic_load(&hook.and_all_later))) return true;
  atomic_fetch_add(&hook.failed, 1);
  errno = ENOMEM;
  return false;
}

static void *count_live(void *memory) {
  if (memory) atomic_fetch_add(&hook.live, 1);
  return memory;
}

static void *count_bytes(void *memory) {
  const size_t more = malloc_usable_size(memory);
  const size_t bytes = atomic_fetch_add(&hook.bytes, more) + more;
  size_t most = atomic_load(&hook.most_bytes);
  while (bytes > most && !atomic_compare_exchange_weak(&hook.most_bytes, &most, bytes)) {
  }
  return memory;
}

static void discount_bytes(void *memory) {
  atomic_fetch_sub(&hook.bytes, malloc_usable_size(memory));
}

void *__wrap_malloc(size_t bytes) {
  return admit() ? count_live(count_bytes(__real_malloc(bytes))) : NULL;
}

void *__wrap_calloc(size_t count, size_t bytes) {
  return admit() ? count_live(count_bytes(__real_calloc(count, bytes))) : NULL;
}

void *__wrap_realloc(void *memory, size_t bytes) {
  if (!admit()) return NULL;
  discount_bytes(memory);
  void *const moved = __real_realloc(memory, bytes);
  count_bytes(moved ? moved : memory);
  return memory ? moved : count_live(moved);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
  return admit() ? count_live(count_bytes(__real_aligned_alloc(alignment, bytes))) : NULL;
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes) {
  if (!admit()) return ENOMEM;
  const int error = __real_posix_memalign(memory, alignment, bytes);
  if (!error) count_live(count_bytes(*memory));
  return error;
}

void __wrap_free(void *memory) {
  if (memory) atomic_fetch_sub(&hook.live, 1);
  discount_bytes(memory);
  __real_free(memory);
}

FILE *__wrap_fopen(const char *path, const char *mode) {
  return admit() ? count_live(__real_fopen(path, mode)) : NULL;
}

/* What fopen() is called where files may be larger than 2 GiB on every machine. */
FILE *__wrap_fopen64(const char *path, const char *mode) {
  return admit() ? count_live(__real_fopen64(path, mode)) : NULL;
}

FILE *__wrap_fdopen(int descriptor, const char *mode) {
  return admit() ? count_live(__real_fdopen(descriptor, mode)) : NULL;
}

int __wrap_fclose(FILE *file) {
  atomic_fetch_sub(&hook.live, 1);
  return __real_fclose(file);
}

void *hook_malloc(size_t bytes) {
  return __wrap_malloc(bytes);
}

void hook_free(void *memory) {
  __wrap_free(memory);
}
