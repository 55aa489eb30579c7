/* memory.h - the library's large blocks: weights, caches, workspaces. */
#ifndef ATTEND_SRC_PLATFORM_MEMORY_H
#define ATTEND_SRC_PLATFORM_MEMORY_H

#include <stddef.h>

/* At least `bytes` > 0 bytes, aligned to 64 or more and released with free(); null if there are
 * none. Blocks of several MiB ask the system for huge pages. */
void *memory_allocate(size_t bytes);

#endif
