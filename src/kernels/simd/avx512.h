/* simd/avx512.h - the vector vocabulary of AVX-512 (F, VL, DQ, BW): sixteen floats. See
 * simd/scalar.h for what each name means; families use these names alone.
 *
 * Register block: 12 query rows x 2 vectors, 24 accumulators, 2 key vectors and 1 broadcast in 32
 * registers: 14 loads for 24 multiply-adds, 2 a cycle of each at best, and a panel of 32 keys of
 * D = 128 (16 KiB) leaves half of the smallest L1 to the query block and the scores.
 */
#ifndef ATTEND_SRC_KERNELS_SIMD_AVX512_H
#define ATTEND_SRC_KERNELS_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define ISA_SUFFIX avx512
#define ISA_ID ATTEND_ISA_AVX512
#define LANES 16
#define BLOCK_ROWS 12
#define VECTORS 2
#define PEAK_CHAINS 24
#define MAX_STRIP 8
#define GEMM_BF16_ROWS BLOCK_ROWS
#define GEMM_BF16_HAS_OWN_UNIT false

typedef __m512 vfloat;

static inline vfloat v_load(const float *p) {
  return _mm512_loadu_ps(p);
}

static inline void v_store(float *p, vfloat x) {
  _mm512_storeu_ps(p, x);
}

static inline __mmask16 v_mask_first(size_t n) {
  return (__mmask16)(n < LANES ? (1u << n) - 1u : 0xffffu);
}

static inline vfloat v_load_first(size_t n, const float *p) {
  return _mm512_maskz_loadu_ps(v_mask_first(n), p);
}

static inline void v_store_first(size_t n, float *p, vfloat x) {
  _mm512_mask_storeu_ps(p, v_mask_first(n), x);
}

static inline vfloat v_set1(float x) {
  return _mm512_set1_ps(x);
}

static inline vfloat v_add(vfloat a, vfloat b) {
  return _mm512_add_ps(a, b);
}

static inline vfloat v_sub(vfloat a, vfloat b) {
  return _mm512_sub_ps(a, b);
}

static inline vfloat v_mul(vfloat a, vfloat b) {
  return _mm512_mul_ps(a, b);
}

static inline vfloat v_fma(vfloat a, vfloat b, vfloat c) {
  return _mm512_fmadd_ps(a, b, c);
}

static inline vfloat v_max(vfloat a, vfloat b) {
  return _mm512_max_ps(a, b);
}

static inline vfloat v_first(size_t n, vfloat x, vfloat rest) {
  return _mm512_mask_blend_ps(v_mask_first(n), rest, x);
}

static inline vfloat v_div(vfloat a, vfloat b) {
  return _mm512_div_ps(a, b);
}

static inline vfloat v_less(vfloat a, vfloat b, vfloat x, vfloat y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

static inline vfloat v_hide(size_t n, const uint8_t *mask, vfloat x) {
  const __m128i bytes = _mm_maskz_loadu_epi8(v_mask_first(n), mask);
  const __mmask16 zero = _mm_mask_testn_epi8_mask(v_mask_first(n), bytes, bytes);
  return _mm512_mask_blend_ps(zero, x, _mm512_set1_ps(-__builtin_inff()));
}

static inline vfloat v_bits_to_exponent(vfloat x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x), 23));
}

static inline __m256 v_upper_half(vfloat x) {
  return _mm512_extractf32x8_ps(x, 1);
}

static inline float v_reduce_add(vfloat x) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), v_upper_half(x));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float v_reduce_max(vfloat x) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), v_upper_half(x));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/* Pairs and quads of rows inside each quarter of a register, then the quarters across registers. */
static inline void v_transpose(vfloat rows[LANES]) {
  vfloat pairs[LANES], quads[LANES], halves[LANES];
  for (size_t i = 0; i < LANES; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < LANES; i += 4) {
    for (size_t h = 0; h < 2; h++) {
      quads[i + 2 * h] = _mm512_shuffle_ps(pairs[i + h], pairs[i + 2 + h], 0x44);
      quads[i + 2 * h + 1] = _mm512_shuffle_ps(pairs[i + h], pairs[i + 2 + h], 0xee);
    }
  }
  for (size_t i = 0; i < 4; i++) {
    halves[i] = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0x88);
    halves[i + 4] = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0xdd);
    halves[i + 8] = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0x88);
    halves[i + 12] = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0xdd);
  }
  for (size_t i = 0; i < 8; i++) {
    rows[i] = _mm512_shuffle_f32x4(halves[i], halves[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_f32x4(halves[i], halves[i + 8], 0xdd);
  }
}

typedef __m512i vpair;

static inline vpair v_load_pair(const uint32_t *p) {
  return _mm512_loadu_si512(p);
}

static inline void v_store_pair(uint32_t *p, vpair x) {
  _mm512_storeu_si512(p, x);
}

static inline vpair v_set1_pair(uint32_t x) {
  return _mm512_set1_epi32((int)x);
}

static inline vfloat v_low(vpair x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}

static inline vfloat v_high(vpair x) {
  return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000u)));
}

static inline vfloat v_low_fp16(vpair x) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(x));
}

static inline vfloat v_high_fp16(vpair x) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(x, 16)));
}

static inline vfloat v_fp16(vfloat x) {
  const __m256i halves = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

static inline vfloat v_bf16(vfloat x) {
  const __m512i bits = _mm512_castps_si512(x), upper = _mm512_set1_epi32((int)0xffff0000u);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  const __m512i rounded = _mm512_and_si512(_mm512_add_epi32(bits, half), upper);
  const __m512i quiet = _mm512_or_si512(_mm512_and_si512(bits, upper), _mm512_set1_epi32(0x400000));
  return _mm512_castsi512_ps(
      _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), rounded, quiet));
}

static inline vpair v_join(vfloat low, vfloat high) {
  return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(low), 16),
                         _mm512_castps_si512(high));
}

static inline void v_store_halves(uint32_t *p, vfloat x) {
  const __m512i halves = _mm512_srli_epi32(_mm512_castps_si512(x), 16);
  _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(halves));
}

static inline vfloat v_if_finite(vfloat x, vfloat y) {
  const vfloat difference = _mm512_sub_ps(x, x); /* NaN if x is not finite, else 0 */
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(difference, difference, _CMP_ORD_Q), y);
}

#endif
