/* kernel_checks.h - the checks of test_kernels: one for each family of the manifest, by its
 * contract.
 *
 * The expected values are computed in double from the contracts in src/kernels/kernels.def; where
 * the contract says more than a tolerance, bits are compared. Sources are allocated to the exact
 * size, so that a sanitizer, or a page without access, sees reads beyond them, and destinations lie
 * between guard zones. The checks stand in kernel_<subject>.c and run once for each instruction
 * set.
 */
#ifndef ATTEND_TESTS_KERNELS_KERNEL_CHECKS_H
#define ATTEND_TESTS_KERNELS_KERNEL_CHECKS_H

#include "kernels/kernels.h"
#include "tests/support/support.h"

#define FLOAT_UNIT 0x1p-24 /* half the distance of 1 to the next float */

/* Every family that has a check_<family>(). */
#define CHECKED_FAMILIES(X)                                                                        \
  X(pack_keys)                                                                                     \
  X(pack_values)                                                                                   \
  X(pack_queries)                                                                                  \
  X(scores)                                                                                        \
  X(score_mod)                                                                                     \
  X(softmax_full)                                                                                  \
  X(softmax_ragged)                                                                                \
  X(weighted_sum)                                                                                  \
  X(unpacked_scores)                                                                               \
  X(unpacked_sum)                                                                                  \
  X(project)                                                                                       \
  X(pack_key_pairs)                                                                                \
  X(pack_value_pairs)                                                                              \
  X(pack_row_pairs)                                                                                \
  X(pack_weight_pairs)                                                                             \
  X(widen)                                                                                         \
  X(gemm_bf16)                                                                                     \
  X(release)                                                                                       \
  X(gemm_mixed)                                                                                    \
  X(exp2)

#define DECLARE_CHECK(family) void check_##family(const Kernels *kernels);
CHECKED_FAMILIES(DECLARE_CHECK)
#undef DECLARE_CHECK

/* The yardsticks of bench, which are compiled as kernels are. */
void check_peak(const Kernels *kernels);
void check_read(const Kernels *kernels);

/* AMX's `gemm_bf16` on tiles that are emulated; and their dot product, by the
 * manual. */
void check_emulated_tiles(void);
void check_emulated_dots(void);

/* The bits of AMX's `gemm_bf16` against those on emulated tiles; nothing for other
 * kernels. */
void check_tiles_of_processor(const Kernels *kernels);

/* Fails the test with the kernels, the check, the place and both values. */
#define fail_kernel(kernels, ...) fail_check((kernels), __func__, __VA_ARGS__)
void fail_check(const Kernels *kernels, const char *check, const char *what, size_t row,
                size_t column, double got, double expected);

/* Guarded memory as aligned as packed data is. */
float *new_packed(size_t floats);

/* Equal bits. */
bool same_float(float a, float b);

#endif
