/* kernel_gemm_bf16.h - a call of `gemm_bf16` as its checks make it.
 *
 * Operands end where a page without access begins, so that no row, pair or panel is read that does
 * not exist; terms that the product does not use are NaN.
 */
#ifndef ATTEND_TESTS_KERNELS_KERNEL_GEMM_BF16_H
#define ATTEND_TESTS_KERNELS_KERNEL_GEMM_BF16_H

#include "tests/kernels/kernel_pairs.h"

typedef struct GemmCall {
  size_t rows, pairs, width, bf16_terms;
  KernelPairs a, b;
  size_t a_pairs, b_pairs; /* allocated */
  size_t c_stride, c_floats;
  float *before; /* the sums that the call starts from */
  float rescale[KERNEL_MAX_ROWS];
} GemmCall;

/* Terms of random numbers in [-1, 1]. */
GemmCall gemm_call_new(size_t rows, size_t pairs, size_t width, size_t bf16_terms, size_t a_terms,
                       size_t b_terms);
void gemm_call_free(GemmCall *call);

/* Where pair i of row r, or of column j, stands. */
uint32_t *pair_of_row(const GemmCall *call, size_t term, size_t r, size_t i);
uint32_t *pair_of_column(const GemmCall *call, size_t term, size_t j, size_t i);

/* The sums after the call. Without rescale c is NaN before. */
float *gemm_call_run(const Kernels *kernels, const GemmCall *call, bool rescaled);

#endif
