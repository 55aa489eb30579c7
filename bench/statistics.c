/* statistics.c - a growing array of samples and its order statistics.
 *
 * The samples are never reordered in place: reports show them as they were taken. The median is
 * found by selection, so that nothing has to be allocated to report a result.
 */
#include "bench/statistics.h"

#include <stdlib.h>

bool samples_add(Samples *samples, double value) {
  if (samples->count == samples->capacity) {
    const size_t capacity = samples->capacity ? 2 * samples->capacity : 16;
    double *const values = realloc(samples->values, capacity * sizeof *values);
    if (!values) return false;
    samples->values = values;
    samples->capacity = capacity;
  }
  samples->values[samples->count++] = value;
  return true;
}

void samples_free(Samples *samples) {
  free(samples->values);
  *samples = (Samples){0};
}

/* The sample of the given rank, 0 for the smallest. Quadratic; rows have a few hundred samples. */
static double sample_of_rank(const Samples *samples, size_t rank) {
  for (size_t i = 0; i < samples->count; i++) {
    size_t below = 0, equal = 0;
    for (size_t j = 0; j < samples->count; j++) {
      below += samples->values[j] < samples->values[i];
      equal += samples->values[j] == samples->values[i];
    }
    if (below <= rank && rank < below + equal) return samples->values[i];
  }
  return 0;
}

double samples_median(const Samples *samples) {
  if (!samples->count) return 0;
  const size_t upper = samples->count / 2;
  const size_t lower = samples->count % 2 ? upper : upper - 1;
  return 0.5 * (sample_of_rank(samples, lower) + sample_of_rank(samples, upper));
}

double samples_min(const Samples *samples) {
  return sample_of_rank(samples, 0);
}

double samples_sum(const Samples *samples) {
  double sum = 0;
  for (size_t i = 0; i < samples->count; i++) sum += samples->values[i];
  return sum;
}
