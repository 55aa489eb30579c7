/* verify.h - the expected output, and how far a path may be from it.
 *
 * Tolerance. Values of the benchmark are of the order of 1, so a sum of K products in one chain has
 * partial sums of that order and rounds each of them by at most u = 2^-24; the K errors add up as a
 * random walk, to about u sqrt(K). Two such sums follow each other on the way to a score and two
 * more on the way to an output. An output y is accepted when
 *
 *   |y - ref| <= max(1, sqrt(K / 1024)) * max(1, |scale| sqrt(D)) * (1e-5 + 5e-6 |ref|)
 *
 * with K the longest sum of the workload: E, Hq Dv and N for a layer, D and N for a core. Scores,
 * and with them their errors, grow with the scale; RoPE and norms keep their size. The constant is
 * 5 u sqrt(K) where the factor is above 1, and stays at its value for K = 1024 below it. Operands
 * that are rounded to bf16 terms add 16 * max(1, |scale| sqrt(D)) * e, where e is the relative
 * error of an activation and of a weight in the precision (2^-9 each in bf16, 2^-18 in bf16x3, none
 * in the others) and that of the storage: each of a sum's products is off by that, and so is the
 * sum, by about as much; 16 is what several such sums and the softmax between them may make of it.
 * A mask that is off by one or a head that reads another's keys moves outputs by 1e-3 and more.
 */
#ifndef ATTEND_BENCH_VERIFY_H
#define ATTEND_BENCH_VERIFY_H

#include "bench/workload.h"

/* Rows of the output in float64: all of them where that is cheap, else the first, the last and some
 * evenly between. */
typedef struct Reference {
  size_t count, width;
  size_t *rows;   /* [count] index into the output's rows */
  double *values; /* [count, width] */
  double factor;  /* of the tolerance, as above */
  double gain;    /* max(1, |scale| sqrt(D)) */
} Reference;

/* Computes the rows. *cancelled is looked at between them. On failure *reference is zero and reason
 * has the sentence, or is "" if it was cancelled. */
bool reference_open(const Workload *workload, bool (*cancelled)(void), Reference *reference,
                    char *reason);
void reference_close(Reference *reference);

/* Holds the workload's output against the reference. *error is the largest difference, *share the
 * largest difference in units of the tolerance: above 1 is a failure. Both are infinite if a value
 * is NaN. */
void reference_compare(const Reference *reference, AttendPrecision precision, AttendStorage storage,
                       const float *output, double *error, double *share);

/* Overwrites the output so that a row that is not written cannot pass. */
void reference_spoil(const Workload *workload);

#endif
