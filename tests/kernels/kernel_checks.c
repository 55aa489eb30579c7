/* kernel_checks.c - what the checks of kernels share: failing, memory, equality. */
#include "tests/kernels/kernel_checks.h"

#include <string.h>

void fail_check(const Kernels *kernels, const char *check, const char *what, size_t row,
                size_t column, double got, double expected) {
  fail_msg("%s isa=%s block=%zux%zu: %s (%zu, %zu) is %.9g, expected %.9g", check,
           attend_isa_name(kernels->isa), kernels->block_rows, kernels->block_columns, what, row,
           column, got, expected);
}

float *new_packed(size_t floats) {
  return guarded_new(floats * sizeof(float), 0);
}

bool same_float(float a, float b) {
  return memcmp(&a, &b, sizeof a) == 0;
}
