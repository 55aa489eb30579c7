/* emulated_kernels.h - AMX's `gemm_bf16` on emulated tiles, and tables of kernels that have it.
 *
 * The source is src/kernels/gemm_bf16_amx.c itself, compiled with emulated_vocabulary.h; the tiles
 * do what the manual says of them. Only the macros of simd/amx.h stand between it and the
 * processor.
 */
#ifndef ATTEND_TESTS_EMULATOR_EMULATED_KERNELS_H
#define ATTEND_TESTS_EMULATOR_EMULATED_KERNELS_H

#include "kernels/kernels.h"

/* Members that are defined: EMULATED(gemm_bf16) and EMULATED(release). */
#define EMULATED(family) KERNEL_MEMBER(family, emulated)
#define ATTEND_KERNEL(family, result, arguments) result EMULATED(family) arguments;
#include "kernels/kernels.def"
#undef ATTEND_KERNEL

/* The table of an ISA with these two in place of its own. */
Kernels emulated_kernels(const Kernels *isa);

#endif
