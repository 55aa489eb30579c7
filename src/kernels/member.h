/* member.h - what every kernel family needs beside the vocabulary of its ISA.
 *
 * A family <family>.c is compiled once for each ISA, with -include simd/<isa>.h, and defines that
 * ISA's members. It uses the names of the vocabulary, kernels.h and this file, and nothing else.
 *
 * Kernels over register blocks are written once, for a number of rows that is a constant, and
 * instantiated for 1 .. BLOCK_ROWS by FOR_ROWS. So all loops over rows and vectors are unrolled and
 * the accumulators stay in registers.
 */
#ifndef ATTEND_SRC_KERNELS_MEMBER_H
#define ATTEND_SRC_KERNELS_MEMBER_H

#include "kernels/kernels.h"

/* W: keys or columns of a register block. */
#define BLOCK_COLUMNS (VECTORS * LANES)

/* The name of this ISA's member: MEMBER(scores) is attend_private_scores_avx2 for AVX2. */
#define MEMBER(family) MEMBER_OF(family, ISA_SUFFIX)
#define MEMBER_OF(family, isa) KERNEL_MEMBER(family, isa)

/* Every member of this ISA, declared from the manifest. */
#define ATTEND_KERNEL(family, result, arguments) result MEMBER(family) arguments;
#include "kernels/kernels.def"
#undef ATTEND_KERNEL

#define KERNEL_INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#  define UNROLL _Pragma("clang loop unroll(full)")
#  define ROLLED _Pragma("clang loop unroll(disable)")
#else
#  define UNROLL _Pragma("GCC unroll 24")
#  define ROLLED _Pragma("GCC unroll 1")
#endif

/* The first and the second number of each pair as floats. */
KERNEL_INLINE vfloat widened_low(const KernelNumber number, vpair x) {
  return number == KERNEL_FP16 ? v_low_fp16(x) : v_low(x);
}

KERNEL_INLINE vfloat widened_high(const KernelNumber number, vpair x) {
  return number == KERNEL_FP16 ? v_high_fp16(x) : v_high(x);
}

/* When a kernel prefetches a panel itself. A call with fewer rows than a register block is most
 * often decode, whose panels come from memory. With few rows the processor's own prefetchers follow
 * a panel that is read whole. With six rows or more the arithmetic between two lines is too long
 * for them, and where a register block is half a panel they lose track. Asking for the line 8 KiB
 * ahead then helps: from 19.9 to 24.4 GB/s with 7 rows on AVX-512, from 11.3 to 22.5 with one row
 * on AVX2 (D = 128, one core of a Zen 4). On AVX-512 with up to five rows it would cost 7 %. */
#define PREFETCH_AHEAD 2048 /* floats */
#define PREFETCHES(rows) ((rows) < BLOCK_ROWS && ((rows) >= 6 || BLOCK_COLUMNS < KERNEL_PANEL))

KERNEL_INLINE void prefetch_panel_row(const float *row) {
  __builtin_prefetch(row + PREFETCH_AHEAD, 0, 2);
  __builtin_prefetch(row + PREFETCH_AHEAD + 16, 0, 2);
}

/* Calls CALL(n) with n a constant equal to rows, 1 .. BLOCK_ROWS. */
#define FOR_ROWS(rows, CALL)                                                                       \
  switch (rows) {                                                                                  \
    CASES_BELOW_BLOCK(CALL)                                                                        \
  default:                                                                                         \
    CALL(BLOCK_ROWS);                                                                              \
    break;                                                                                         \
  }

#define ROWS_CASE(CALL, n)                                                                         \
case n:                                                                                            \
  CALL(n);                                                                                         \
  break;
#define CASES_BELOW_4(CALL) ROWS_CASE(CALL, 1) ROWS_CASE(CALL, 2) ROWS_CASE(CALL, 3)
#define CASES_BELOW_6(CALL) CASES_BELOW_4(CALL) ROWS_CASE(CALL, 4) ROWS_CASE(CALL, 5)
#define CASES_BELOW_8(CALL) CASES_BELOW_6(CALL) ROWS_CASE(CALL, 6) ROWS_CASE(CALL, 7)
#define CASES_BELOW_10(CALL) CASES_BELOW_8(CALL) ROWS_CASE(CALL, 8) ROWS_CASE(CALL, 9)
#define CASES_BELOW_12(CALL) CASES_BELOW_10(CALL) ROWS_CASE(CALL, 10) ROWS_CASE(CALL, 11)
#if BLOCK_ROWS == 4
#  define CASES_BELOW_BLOCK CASES_BELOW_4
#elif BLOCK_ROWS == 6
#  define CASES_BELOW_BLOCK CASES_BELOW_6
#elif BLOCK_ROWS == 8
#  define CASES_BELOW_BLOCK CASES_BELOW_8
#elif BLOCK_ROWS == 12
#  define CASES_BELOW_BLOCK CASES_BELOW_12
#else
#  error "FOR_ROWS has no list of cases for this BLOCK_ROWS"
#endif

#endif
