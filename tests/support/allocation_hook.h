/* allocation_hook.h - counts what the library and a test allocate, and lets chosen allocations
 * fail.
 *
 * A program that uses it is linked with hook_link_args (meson.build). Every malloc() and its kin in
 * its own objects and in the static library come through here; those in shared libraries do not; an
 * fopen() or fdopen(), which allocate inside the C library, count as allocations, and fclose() as a
 * free().
 */
#ifndef ATTEND_TESTS_SUPPORT_ALLOCATION_HOOK_H
#define ATTEND_TESTS_SUPPORT_ALLOCATION_HOOK_H

#include <stdbool.h>
#include <stddef.h>

/* Allocations tried since the program began, and how many of those that succeeded were not
 * freed. */
size_t hook_made(void);
size_t hook_live(void);

/* Bytes of the allocations that are live, and the most that there have been since
 * hook_watch_bytes(). What an fopen() takes is not known and not counted. */
size_t hook_bytes(void);
size_t hook_most_bytes(void);
void hook_watch_bytes(void);

/* From now on lets the next `passed` allocations through and fails the one after them, or it and
 * all that follow. */
void hook_fail_after(size_t passed, bool and_all_later);

/* Lets all allocations through again. Returns how many failed since hook_fail_after(). */
size_t hook_stop(void);

/* The hook's malloc() and free(), for shared libraries that can be told what to allocate with. */
void *hook_malloc(size_t bytes);
void hook_free(void *memory);

#endif
