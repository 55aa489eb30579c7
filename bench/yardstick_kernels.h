/* yardstick_kernels.h - the kernels that measure a processor's limits, in every ISA.
 *
 * They are compiled as the library's kernels are, with an ISA's vocabulary and flags, but are no
 * part of the library: they have a manifest and tables of their own.
 */
#ifndef ATTEND_BENCH_YARDSTICK_KERNELS_H
#define ATTEND_BENCH_YARDSTICK_KERNELS_H

#include "attend/attend.h"

/* X(name, result, arguments).
 *
 * peak   `rounds` rounds of independent multiply-adds in registers. Returns the FLOPs done, two for
 *        each multiply-add, and leaves something in *sink that depends on all of them.
 * read   Sums `count` floats as `streams` (1, 2, 4 or 8) equal contiguous parts that are read side
 *        by side. What does not divide into whole pairs of vectors for each stream is left out.
 *        Returns the sum. data needs the alignment of a float. */
#define YARDSTICK_KERNELS(X)                                                                       \
  X(peak, double, (size_t rounds, float *sink))                                                    \
  X(read, float, (const float *data, size_t count, size_t streams))

typedef struct YardstickKernels {
#define YARDSTICK_MEMBER(name, result, arguments) result(*name) arguments;
  YARDSTICK_KERNELS(YARDSTICK_MEMBER)
#undef YARDSTICK_MEMBER
} YardstickKernels;

/* The kernels of an ISA (not AUTO), or null if they are not in this build. */
const YardstickKernels *yardstick_kernels(AttendIsa isa);

#endif
