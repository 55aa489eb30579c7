/* member.h - what every kernel family needs beside the vocabulary of its ISA.
 *
 * A family <family>.c is compiled once for each ISA, with -include simd/<isa>.h, and defines that
 * ISA's members. Kernels over register blocks are written once for a fixed number of rows and
 * instantiated for 1..ROWS by BODY_FOR_ROWS, so that all loops over rows and vectors are unrolled
 * and the accumulators stay in registers.
 */
#ifndef ATTEND_SRC_KERNELS_MEMBER_H
#define ATTEND_SRC_KERNELS_MEMBER_H

#include "kernels/kernels.h"

/* W: keys or columns of a register tile. */
#define TILE (VECTORS * LANES)

/* The name of this ISA's member: MEMBER(scores) is attend_private_scores_avx2 for AVX2. */
#define MEMBER(family) MEMBER_OF(family, ISA_SUFFIX)
#define MEMBER_OF(family, isa) KERNEL_MEMBER(family, isa)

/* Every member of this ISA, declared from the manifest. */
#define ATTEND_KERNEL(family, result, arguments) result MEMBER(family) arguments;
#include "kernels/kernels.def"
#undef ATTEND_KERNEL

#define BODY_INLINE static inline __attribute__((always_inline))

/* The first and the second number of each pair as floats. */
BODY_INLINE vfloat widened_low(const KernelNumber number, vpair x) {
  return number == KERNEL_FP16 ? v_low_fp16(x) : v_low(x);
}

BODY_INLINE vfloat widened_high(const KernelNumber number, vpair x) {
  return number == KERNEL_FP16 ? v_high_fp16(x) : v_high(x);
}

/* A block of fewer rows than the register tile has is most often decode, whose panels come from
 * memory. The processor's own prefetchers follow a panel that is read whole as long as few rows are
 * multiplied; with six rows or more the arithmetic between two lines is too long for them, and
 * where a register tile is half a panel they lose the thread. Asking for the line 8 KiB ahead then
 * helps: from 19.9 to 24.4 GB/s with 7 rows on AVX-512, from 11.3 to 22.5 with one row on AVX2 (D =
 * 128, one core of a Zen 4). On AVX-512 with up to five rows it would cost 7 %. */
#define BODY_AHEAD 2048 /* floats */
#define BODY_PREFETCHES(rows) ((rows) < ROWS && ((rows) >= 6 || TILE < KERNEL_PANEL))

BODY_INLINE void body_prefetch_panel_row(const float *row) {
  __builtin_prefetch(row + BODY_AHEAD, 0, 2);
  __builtin_prefetch(row + BODY_AHEAD + 16, 0, 2);
}

#if defined(__clang__)
#  define BODY_UNROLL _Pragma("clang loop unroll(full)")
#  define BODY_ROLLED _Pragma("clang loop unroll(disable)")
#else
#  define BODY_UNROLL _Pragma("GCC unroll 24")
#  define BODY_ROLLED _Pragma("GCC unroll 1")
#endif

/* Calls CALL(n) with n a constant equal to rows. */
#if ROWS == 4
#  define BODY_FOR_ROWS(rows, CALL)                                                                \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
      CALL(1);                                                                                     \
      break;                                                                                       \
    case 2:                                                                                        \
      CALL(2);                                                                                     \
      break;                                                                                       \
    case 3:                                                                                        \
      CALL(3);                                                                                     \
      break;                                                                                       \
    default:                                                                                       \
      CALL(4);                                                                                     \
      break;                                                                                       \
    }
#elif ROWS == 6
#  define BODY_FOR_ROWS(rows, CALL)                                                                \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
      CALL(1);                                                                                     \
      break;                                                                                       \
    case 2:                                                                                        \
      CALL(2);                                                                                     \
      break;                                                                                       \
    case 3:                                                                                        \
      CALL(3);                                                                                     \
      break;                                                                                       \
    case 4:                                                                                        \
      CALL(4);                                                                                     \
      break;                                                                                       \
    case 5:                                                                                        \
      CALL(5);                                                                                     \
      break;                                                                                       \
    default:                                                                                       \
      CALL(6);                                                                                     \
      break;                                                                                       \
    }
#elif ROWS == 12
#  define BODY_FOR_ROWS(rows, CALL)                                                                \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
      CALL(1);                                                                                     \
      break;                                                                                       \
    case 2:                                                                                        \
      CALL(2);                                                                                     \
      break;                                                                                       \
    case 3:                                                                                        \
      CALL(3);                                                                                     \
      break;                                                                                       \
    case 4:                                                                                        \
      CALL(4);                                                                                     \
      break;                                                                                       \
    case 5:                                                                                        \
      CALL(5);                                                                                     \
      break;                                                                                       \
    case 6:                                                                                        \
      CALL(6);                                                                                     \
      break;                                                                                       \
    case 7:                                                                                        \
      CALL(7);                                                                                     \
      break;                                                                                       \
    case 8:                                                                                        \
      CALL(8);                                                                                     \
      break;                                                                                       \
    case 9:                                                                                        \
      CALL(9);                                                                                     \
      break;                                                                                       \
    case 10:                                                                                       \
      CALL(10);                                                                                    \
      break;                                                                                       \
    case 11:                                                                                       \
      CALL(11);                                                                                    \
      break;                                                                                       \
    default:                                                                                       \
      CALL(12);                                                                                    \
      break;                                                                                       \
    }
#else
#  error "BODY_FOR_ROWS has no case list for this ROWS"
#endif

#endif
