/* random.h - reproducible random floats.
 *
 * Number i of a stream is a function of the seed, the stream and i alone, so that a buffer can be
 * filled by any number of threads and is the same on every machine.
 */
#ifndef ATTEND_BENCH_RANDOM_H
#define ATTEND_BENCH_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* data[i] uniform in [-scale, scale). */
void random_fill(uint64_t seed, uint64_t stream, float scale, float *data, size_t count);

#endif
