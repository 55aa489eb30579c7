/* allocation.h - large buffers, refused when the machine has no room for them.
 *
 * Linux grants more memory than there is and ends the process that touches it. A benchmark that is
 * asked for too much must say so and go on with its other rows, so buffers are held against the
 * memory that is available first. Sizes are doubles: a product of any sizes that a user can type
 * stays comparable.
 */
#ifndef ATTEND_BENCH_ALLOCATION_H
#define ATTEND_BENCH_ALLOCATION_H

#include <stdbool.h>
#include <stddef.h>

/* Whether that many bytes can be had without swapping. */
bool allocation_fits(double bytes);

/* `count` floats, aligned as the library aligns its own (memory.h) and on huge pages as there, or
 * null if they do not fit. Release with free(). */
float *allocate_floats(double count);

#endif
