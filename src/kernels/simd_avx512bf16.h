/* simd_avx512bf16.h - AVX-512's vocabulary with the processor's own dot product of bf16 pairs.
 *
 * VDPBF16PS rounds after each of a lane's two multiply-adds and takes denormals for zero.
 */
#ifndef ATTEND_SRC_KERNELS_SIMD_AVX512BF16_H
#define ATTEND_SRC_KERNELS_SIMD_AVX512BF16_H

#include "kernels/simd_avx512.h"

#undef ISA_SUFFIX
#undef ISA_ID
#define ISA_SUFFIX avx512bf16
#define ISA_ID ATTEND_ISA_AVX512_BF16
#define ISA_HAS_DOT
#define PAIR_ROWS ROWS

static inline vfloat v_dot(vpair a, vpair b, vfloat sum) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

#endif
