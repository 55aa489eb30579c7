/* emulated_vocabulary.h - what src/kernels/gemm_bf16_amx.c is compiled with in place of simd/amx.h.
 *
 * AMX's tiles are the emulated ones. What the kernel does beside them it does with the vectors of
 * the scalar ISA, which every machine has; so a multiply-add outside the tiles rounds twice here.
 */
#ifndef ATTEND_TESTS_EMULATOR_EMULATED_VOCABULARY_H
#define ATTEND_TESTS_EMULATOR_EMULATED_VOCABULARY_H

#include "kernels/simd/scalar.h"

#undef ISA_SUFFIX
#define ISA_SUFFIX emulated

#include "tests/emulator/emulated_tiles.h"

#endif
