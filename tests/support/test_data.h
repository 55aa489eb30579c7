/* test_data.h - random numbers, memory that shows what was written to it, and how near is near
 * enough.
 */
#ifndef ATTEND_TESTS_SUPPORT_TEST_DATA_H
#define ATTEND_TESTS_SUPPORT_TEST_DATA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Fills data with numbers in [-bound, bound) that depend on seed and index alone. */
void fill_random(uint64_t seed, float bound, float *data, size_t count);

/* A new array filled likewise. Freed with free(). */
float *new_random(uint64_t seed, float bound, size_t count);

/* malloc() that fails the test in place of returning null. */
void *new_bytes(size_t bytes);

/* Memory between two guard zones, `offset` bytes after a 64-byte boundary, filled with a pattern
 * that reads as NaN. check fails the test if a guard changed; free checks first. */
void *guarded_new(size_t bytes, size_t offset);
void guarded_check(const void *memory, const char *what);
void guarded_free(void *memory, const char *what);

/* Floats that end where a page without access begins, so that reading or writing beyond them ends
 * the program; filled with the same pattern. */
float *fenced_new(size_t floats);
void fenced_free(float *data, size_t floats);

/* An address that no float may have. */
const float *off_by_a_byte(const float *data);

/* The value that guarded memory is filled with: a NaN that no computation makes. */
float untouched_float(void);
bool is_untouched(const float *value);

/* A number as text, for fragments of sentences. */
#define NUMBER_SIZE 32
const char *number(char text[static NUMBER_SIZE], size_t value);

/* |got - expected| <= allowed. What is not finite in expected must not be finite in got, and a NaN
 * stays a NaN. */
bool is_close(double got, double expected, double allowed);

/* 1e-5 + 5e-6 |expected|: the most that any fp32 result of inputs in [-1, 1] may be off. */
double fixed_allowance(double expected);

/* Compares arrays under the fixed allowance; the failure line begins with `label`. */
void check_close(const char *label, const float *got, const double *expected, size_t count);

#endif
