/* fork_guard.h - what a fork leaves of this process's threads. */
#ifndef ATTEND_SRC_PLATFORM_FORK_GUARD_H
#define ATTEND_SRC_PLATFORM_FORK_GUARD_H

#include <stdbool.h>

/* Whether this process is the child of a fork, without exec, of a process that had more than one
 * thread. OpenMP then believes in a pool of threads that only the parent has, and a parallel region
 * would wait for them forever; everything runs on the calling thread in place of that. */
bool fork_guard_lost_threads(void);

#endif
