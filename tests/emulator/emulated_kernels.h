/* emulated_kernels.h - AMX's `gemm_bf16` on emulated tiles, and tables of kernels that have it.
 *
 * The body is the one that src/kernels/gemm_bf16_amx.c compiles; the tiles do what the manual says
 * of them. Between it and the processor are only the macros of src/kernels/simd_amx.h.
 */
#ifndef ATTEND_TESTS_EMULATED_KERNELS_H
#define ATTEND_TESTS_EMULATED_KERNELS_H

#include "kernels/kernels.h"

void gemm_bf16_emulated(size_t rows, size_t pairs, size_t width, size_t bf16_terms, KernelPairs a,
                        KernelPairs b, const float *rescale, float *c, size_t c_stride);
void release_emulated(void);

/* The table of an ISA with these two in place of its own. */
Kernels emulated_kernels(const Kernels *isa);

#endif
