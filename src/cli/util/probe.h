/* probe.h - sgemm under another core of OpenBLAS, measured by a child process.
 *
 * A process has the core that it was loaded with, so the tool runs itself:
 * `attend info --blas-core CORE --probe-sgemm THREADS`, in the environment of a restart, prints one
 * number. --probe-sgemm is for this purpose alone and stands in no help text.
 */
#ifndef ATTEND_SRC_CLI_UTIL_PROBE_H
#define ATTEND_SRC_CLI_UTIL_PROBE_H

#include "cli/info/doctor.h"
#include "cli/util/blas_core.h"

/* Compares the core that was in use before any restart with the processor's best, in turns, and
 * takes the best of each. seconds is the time of one measurement. False, with the sentence printed,
 * if one of them could not be measured; *comparison is then untouched. */
bool probe_compare(const BlasCoreState *core, size_t threads, double seconds,
                   CoreComparison *comparison);

/* The child's side: measures sgemm in this process and prints GFLOP/s. Returns the exit status. */
int probe_answer(size_t threads, double seconds);

#endif
