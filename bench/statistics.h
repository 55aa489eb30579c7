/* statistics.h - the samples of a row, and what is said about them.
 *
 * All samples are kept in the order in which they were taken. The median is what a row reports, the
 * minimum what the machine can do when nothing disturbs it; a mean is not reported, because one
 * disturbance moves it.
 */
#ifndef ATTEND_BENCH_STATISTICS_H
#define ATTEND_BENCH_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
typedef struct Samples {
  double *values;
  size_t count, capacity;
} Samples;

/* Appends a sample; false if memory is missing (the samples are as before). */
bool samples_add(Samples *samples, double value);
void samples_free(Samples *samples);

/* 0 without samples. The median of an even number is the mean of the middle two. */
double samples_median(const Samples *samples);
double samples_min(const Samples *samples);
double samples_sum(const Samples *samples);

#endif
