/* random_case.h - core cases drawn from a seed, and simpler ones near a given one. */
#ifndef ATTEND_TESTS_PROPERTY_RANDOM_CASE_H
#define ATTEND_TESTS_PROPERTY_RANDOM_CASE_H

#include "tests/support/core_case.h"

/* Random numbers of one case, in the order in which they are asked for. */
typedef struct Draw {
  uint64_t seed, next;
} Draw;

/* Below count. */
static inline size_t draw(Draw *d, size_t count) {
  return case_draw(d->seed, d->next++, count);
}

/* A case of any combination of options, with sizes at and around the edges of tiles: query_tile is
 * the rows of a tile. Its own seed is the seed. */
CoreCase case_random(uint64_t seed, size_t query_tile);

/* The case with one thing made simpler: a size smaller, an option off. Steps count from 0; false
 * when there is none of that number, and *simpler equal to *from where the step changes nothing. */
bool case_simplify(const CoreCase *from, size_t step, CoreCase *simpler);

#endif
