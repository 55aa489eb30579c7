/* simd/avx512bf16.h - AVX-512's vocabulary with the processor's own dot product of bf16 pairs.
 *
 * VDPBF16PS rounds after each of a lane's two multiply-adds and takes denormals for zero, as
 * VCVTNEPS2BF16 does, which rounds to bf16.
 */
#ifndef ATTEND_SRC_KERNELS_SIMD_AVX512BF16_H
#define ATTEND_SRC_KERNELS_SIMD_AVX512BF16_H

#include "kernels/simd/avx512.h"

#undef ISA_SUFFIX
#undef ISA_ID
#define ISA_SUFFIX avx512bf16
#define ISA_ID ATTEND_ISA_AVX512_BF16
#define ISA_BORROWS avx512
#define ISA_HAS_BF16_DOT

static inline vfloat v_dot(vpair a, vpair b, vfloat sum) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/* Stores the first term of x and returns the remainder. */
static inline vfloat v_store_term(uint32_t *p, vfloat x) {
  const __m256i halves = (__m256i)_mm512_cvtneps_pbh(x);
  _mm256_storeu_si256((__m256i *)(void *)p, halves);
  const __m512i term = _mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
  return _mm512_sub_ps(x, _mm512_castsi512_ps(term));
}

#endif
