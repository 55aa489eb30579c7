/* simd/avx2.h - the vector vocabulary of AVX2 with FMA and F16C: eight floats. See simd/scalar.h
 * for what each name means; families use these names alone.
 *
 * Register block: 6 query rows x 2 vectors, 12 accumulators, 2 key vectors and 1 broadcast in 16
 * registers: 8 loads for 12 multiply-adds, 2 a cycle of each.
 */
#ifndef ATTEND_SRC_KERNELS_SIMD_AVX2_H
#define ATTEND_SRC_KERNELS_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ISA_SUFFIX avx2
#define ISA_ID ATTEND_ISA_AVX2
#define LANES 8
#define BLOCK_ROWS 6
#define VECTORS 2
#define PEAK_CHAINS 12
#define MAX_STRIP 8
#define GEMM_BF16_ROWS BLOCK_ROWS
#define GEMM_BF16_HAS_OWN_UNIT false

typedef __m256 vfloat;

static inline vfloat v_load(const float *p) {
  return _mm256_loadu_ps(p);
}

static inline void v_store(float *p, vfloat x) {
  _mm256_storeu_ps(p, x);
}

static inline __m256i v_mask_first(size_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < LANES ? (int)n : LANES), lane);
}

static inline vfloat v_load_first(size_t n, const float *p) {
  return _mm256_maskload_ps(p, v_mask_first(n));
}

/* By halves: some processors take dozens of cycles for a masked store. */
static inline void v_store_first(size_t n, float *p, vfloat x) {
  __m128 rest = _mm256_castps256_ps128(x);
  if (n >= LANES) {
    _mm256_storeu_ps(p, x);
    return;
  }
  if (n & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(x, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi((__m64 *)(void *)p, rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, rest);
}

static inline vfloat v_set1(float x) {
  return _mm256_set1_ps(x);
}

static inline vfloat v_add(vfloat a, vfloat b) {
  return _mm256_add_ps(a, b);
}

static inline vfloat v_sub(vfloat a, vfloat b) {
  return _mm256_sub_ps(a, b);
}

static inline vfloat v_mul(vfloat a, vfloat b) {
  return _mm256_mul_ps(a, b);
}

static inline vfloat v_fma(vfloat a, vfloat b, vfloat c) {
  return _mm256_fmadd_ps(a, b, c);
}

static inline vfloat v_max(vfloat a, vfloat b) {
  return _mm256_max_ps(a, b);
}

static inline vfloat v_first(size_t n, vfloat x, vfloat rest) {
  return _mm256_blendv_ps(rest, x, _mm256_castsi256_ps(v_mask_first(n)));
}

static inline vfloat v_div(vfloat a, vfloat b) {
  return _mm256_div_ps(a, b);
}

static inline vfloat v_less(vfloat a, vfloat b, vfloat x, vfloat y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

static inline vfloat v_hide(size_t n, const uint8_t *mask, vfloat x) {
  uint64_t bytes = ~(uint64_t)0;
  memcpy(&bytes, mask, n < LANES ? n : LANES);
  const __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
  const __m256i zero = _mm256_cmpeq_epi32(lanes, _mm256_setzero_si256());
  return _mm256_blendv_ps(x, _mm256_set1_ps(-__builtin_inff()), _mm256_castsi256_ps(zero));
}

static inline vfloat v_bits_to_exponent(vfloat x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x), 23));
}

static inline float v_reduce_add(vfloat x) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

static inline float v_reduce_max(vfloat x) {
  const __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}

static inline void v_transpose(vfloat rows[LANES]) {
  vfloat pairs[LANES], quads[LANES];
  for (size_t i = 0; i < LANES; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < LANES; i += 4) {
    for (size_t h = 0; h < 2; h++) {
      quads[i + 2 * h] = _mm256_shuffle_ps(pairs[i + h], pairs[i + 2 + h], 0x44);
      quads[i + 2 * h + 1] = _mm256_shuffle_ps(pairs[i + h], pairs[i + 2 + h], 0xee);
    }
  }
  for (size_t i = 0; i < 4; i++) {
    rows[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
  }
}

typedef __m256i vpair;

static inline vpair v_load_pair(const uint32_t *p) {
  return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void v_store_pair(uint32_t *p, vpair x) {
  _mm256_storeu_si256((__m256i *)(void *)p, x);
}

static inline vpair v_set1_pair(uint32_t x) {
  return _mm256_set1_epi32((int)x);
}

static inline vfloat v_low(vpair x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}

static inline vfloat v_high(vpair x) {
  return _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000u)));
}

/* The low halves of all lanes, and behind them the upper ones. */
static inline __m256i v_unzip(vpair x) {
  const __m256i bf16_terms = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,
                                              0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(x, bf16_terms), 0xd8);
}

static inline vfloat v_low_fp16(vpair x) {
  return _mm256_cvtph_ps(_mm256_castsi256_si128(v_unzip(x)));
}

static inline vfloat v_high_fp16(vpair x) {
  return _mm256_cvtph_ps(_mm256_extracti128_si256(v_unzip(x), 1));
}

static inline vfloat v_fp16(vfloat x) {
  const __m128i halves = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

static inline vfloat v_bf16(vfloat x) {
  const __m256i bits = _mm256_castps_si256(x), upper = _mm256_set1_epi32((int)0xffff0000u);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  const __m256i rounded = _mm256_and_si256(_mm256_add_epi32(bits, half), upper);
  const __m256i quiet = _mm256_or_si256(_mm256_and_si256(bits, upper), _mm256_set1_epi32(0x400000));
  return _mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet),
                          _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

static inline vpair v_join(vfloat low, vfloat high) {
  return _mm256_or_si256(_mm256_srli_epi32(_mm256_castps_si256(low), 16),
                         _mm256_castps_si256(high));
}

static inline void v_store_halves(uint32_t *p, vfloat x) {
  const __m256i halves = _mm256_srli_epi32(_mm256_castps_si256(x), 16);
  const __m128i packed =
      _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_storeu_si128((__m128i *)(void *)p, packed);
}

static inline vfloat v_if_finite(vfloat x, vfloat y) {
  const __m256 difference = _mm256_sub_ps(x, x); /* NaN if x is not finite, else 0 */
  return _mm256_and_ps(_mm256_cmp_ps(difference, difference, _CMP_ORD_Q), y);
}

#endif
