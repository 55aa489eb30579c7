/* simd/amx.h - the vocabulary of AVX-512 with bf16, which every processor with AMX has, and the
 * AMX tiles that gemm_bf16_amx.c is written in.
 *
 * A tile is up to 16 rows of 64 bytes, named by a literal from 0 to 7. TDPBF16PS adds one step of
 * pairs to each sum of tile c: it sums the first products of all pairs in one chain and the second
 * ones in another, and adds both. It rounds to nearest, takes denormals for zero and ignores MXCSR.
 *
 * GCC's intrinsics do not say that they read memory, so each load is preceded by a barrier; the
 * pointer goes into it so that what was written there is not optimised away.
 *
 * The System V ABI makes tile registers and their configuration scratch: a callee may change them
 * and a caller that needs them saves them. `release` gives the configuration back, so that after a
 * call of the library the operating system has no tiles to save when it switches threads.
 */
#ifndef ATTEND_SRC_KERNELS_SIMD_AMX_H
#define ATTEND_SRC_KERNELS_SIMD_AMX_H

#include "kernels/simd/avx512bf16.h"

#undef ISA_SUFFIX
#undef ISA_ID
#undef GEMM_BF16_ROWS
#undef GEMM_BF16_HAS_OWN_UNIT
#define ISA_SUFFIX amx
#define ISA_ID ATTEND_ISA_AMX
#define GEMM_BF16_ROWS KERNEL_MAX_ROWS
#define GEMM_BF16_HAS_OWN_UNIT true

#define AMX_IS_WRITTEN(p) __asm__ volatile("" : : "r"((const void *)(p)) : "memory")

#define AMX_CONFIGURE(config)                                                                      \
  do {                                                                                             \
    AMX_IS_WRITTEN(config);                                                                        \
    _tile_loadconfig(config);                                                                      \
  } while (0)
#define AMX_CONFIGURATION(config)                                                                  \
  do {                                                                                             \
    _tile_storeconfig(config);                                                                     \
    AMX_IS_WRITTEN(config);                                                                        \
  } while (0)
#define AMX_RELEASE() _tile_release()
#define AMX_ZERO(tile) _tile_zero(tile)
#define AMX_LOAD(tile, from, stride)                                                               \
  do {                                                                                             \
    AMX_IS_WRITTEN(from);                                                                          \
    _tile_loadd(tile, (from), (stride));                                                           \
  } while (0)
#define AMX_STORE(tile, to, stride)                                                                \
  do {                                                                                             \
    _tile_stored(tile, (to), (stride));                                                            \
    AMX_IS_WRITTEN(to);                                                                            \
  } while (0)
#define AMX_DOT(c, a, b) _tile_dpbf16ps(c, a, b)

#endif
