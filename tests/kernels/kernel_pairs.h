/* kernel_pairs.h - pairs of bf16 and fp16 numbers as kernels.h defines them, computed in double.
 *
 * Nothing here shares a line with the kernels: rounding is nearbyint() in units of the last place,
 * and a term is subtracted in double, where it is exact.
 */
#ifndef ATTEND_TESTS_KERNELS_KERNEL_PAIRS_H
#define ATTEND_TESTS_KERNELS_KERNEL_PAIRS_H

#include "tests/kernels/kernel_checks.h"

/* The terms of x. */
void terms_of(float x, double terms[static KERNEL_MAX_TERMS]);

/* The bits of a number that is a bf16 number, and the number of such bits. */
uint32_t bf16_bits(double x);
double bf16_number(uint32_t bits);

/* x rounded to fp16, and the number that 16 bits of fp16 are, by the definition of binary16. */
double round_to_fp16(double x);
double fp16_number(uint32_t bits);

/* Element `element` (0 or 1) of a pair of bf16 numbers. */
double pair_element(uint32_t pair, size_t element);
void set_pair_element(uint32_t *pair, size_t element, double x);

/* A float whose terms are hard to get right: special values, ties of every term, the ends of the
 * range, and random numbers of every exponent. */
float odd_float(uint64_t index);

/* Pairs in memory that ends at a page without access. */
uint32_t *fenced_pairs_new(size_t pairs);
void fenced_pairs_free(const uint32_t *pairs, size_t count);

#endif
