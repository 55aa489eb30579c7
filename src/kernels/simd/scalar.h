/* simd/scalar.h - the vector vocabulary of the scalar ISA: four floats, left to the compiler.
 *
 * Written with the compiler's generic vectors, so it runs on any processor (on x86-64 they become
 * SSE2, on Arm NEON). A multiply-add rounds twice; contraction is off in the build, so that the
 * bits do not depend on the compiler. The other vocabularies define the same names; families use
 * nothing else.
 *
 * Register block: 4 query rows x 2 vectors, 8 accumulators beside 2 key vectors and a product in
 * the 16 registers of the baseline.
 */
#ifndef ATTEND_SRC_KERNELS_SIMD_SCALAR_H
#define ATTEND_SRC_KERNELS_SIMD_SCALAR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ISA_SUFFIX scalar
#define ISA_ID ATTEND_ISA_SCALAR
#define LANES 4
#define BLOCK_ROWS 4
#define VECTORS 2
#define PEAK_CHAINS 8
#define MAX_STRIP 4
#define GEMM_BF16_ROWS BLOCK_ROWS
#define GEMM_BF16_HAS_OWN_UNIT false

typedef float vfloat __attribute__((vector_size(16)));
typedef int32_t vint __attribute__((vector_size(16)));
typedef uint32_t vword __attribute__((vector_size(16)));

static inline vfloat v_load(const float *p) {
  vfloat x;
  memcpy(&x, p, sizeof x);
  return x;
}

static inline void v_store(float *p, vfloat x) {
  memcpy(p, &x, sizeof x);
}

/* The first n lanes from memory, zero beyond; reads no float after the n-th. */
static inline vfloat v_load_first(size_t n, const float *p) {
  float x[LANES] = {0};
  for (size_t i = 0; i < n && i < LANES; i++) x[i] = p[i];
  return v_load(x);
}

/* Writes the first n lanes and nothing behind them. */
static inline void v_store_first(size_t n, float *p, vfloat x) {
  for (size_t i = 0; i < n && i < LANES; i++) p[i] = x[i];
}

static inline vfloat v_set1(float x) {
  return (vfloat){x, x, x, x};
}

static inline vfloat v_add(vfloat a, vfloat b) {
  return a + b;
}

static inline vfloat v_sub(vfloat a, vfloat b) {
  return a - b;
}

static inline vfloat v_mul(vfloat a, vfloat b) {
  return a * b;
}

/* a * b + c */
static inline vfloat v_fma(vfloat a, vfloat b, vfloat c) {
  return a * b + c;
}

static inline vfloat v_select(vint mask, vfloat a, vfloat b) {
  return (vfloat)((mask & (vint)a) | (~mask & (vint)b));
}

/* The larger; b where either is NaN. */
static inline vfloat v_max(vfloat a, vfloat b) {
  return v_select(a > b, a, b);
}

/* Lanes below n from x, the others from `rest`. */
static inline vfloat v_first(size_t n, vfloat x, vfloat rest) {
  const int32_t limit = n < LANES ? (int32_t)n : LANES;
  const vint lane = {0, 1, 2, 3};
  return v_select(lane < (vint){limit, limit, limit, limit}, x, rest);
}

static inline vfloat v_div(vfloat a, vfloat b) {
  return a / b;
}

/* x where a < b, y elsewhere, also where either is NaN. */
static inline vfloat v_less(vfloat a, vfloat b, vfloat x, vfloat y) {
  return v_select(a < b, x, y);
}

/* -inf in the first n lanes whose byte of the mask is 0; reads no byte after the n-th. */
static inline vfloat v_hide(size_t n, const uint8_t *mask, vfloat x) {
  for (size_t i = 0; i < n && i < LANES; i++) {
    if (!mask[i]) x[i] = -__builtin_inff();
  }
  return x;
}

/* The low bits of x, moved into the exponent field. */
static inline vfloat v_bits_to_exponent(vfloat x) {
  return (vfloat)((vint)x << 23);
}

/* Reductions over lanes, always in the order of halves. */
static inline float v_reduce_add(vfloat x) {
  return (x[0] + x[2]) + (x[1] + x[3]);
}

static inline float v_reduce_max(vfloat x) {
  const float a = x[0] > x[2] ? x[0] : x[2];
  const float b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}

/* rows[i] lane j becomes rows[j] lane i. */
static inline void v_transpose(vfloat rows[LANES]) {
  for (size_t i = 0; i < LANES; i++) {
    for (size_t j = i + 1; j < LANES; j++) {
      const float x = rows[i][j];
      rows[i][j] = rows[j][i];
      rows[j][i] = x;
    }
  }
}

/* Pairs of 16-bit numbers, one pair a lane. v_low and v_high widen the first and the second of
 * each, bf16 numbers, and v_low_fp16 and v_high_fp16 fp16 numbers. */
typedef vint vpair;

static inline vpair v_load_pair(const uint32_t *p) {
  vpair x;
  memcpy(&x, p, sizeof x);
  return x;
}

static inline void v_store_pair(uint32_t *p, vpair x) {
  memcpy(p, &x, sizeof x);
}

static inline vpair v_set1_pair(uint32_t x) {
  const int32_t bits = (int32_t)x;
  return (vpair){bits, bits, bits, bits};
}

static inline vfloat v_low(vpair x) {
  return (vfloat)(x << 16);
}

static inline vfloat v_high(vpair x) {
  return (vfloat)(x & (int32_t)0xffff0000);
}

/* The fp16 numbers in the low halves of lanes. A denormal one is a multiple of 2^-24, which is
 * normal as a float. Infinities and NaN have an exponent of all ones, and keep it. */
static inline vfloat v_widen_fp16(vint bits) {
  const vint size = bits & 0x7fff, sign = (bits & 0x8000) << 16;
  const vint rebias = (size >= 0x7c00) & (112 << 23), quiet = (size > 0x7c00) & 0x400000;
  const vfloat normal = (vfloat)(((size << 13) + (112 << 23) + rebias) | quiet);
  const vfloat denormal = __builtin_convertvector(size, vfloat) * 0x1p-24f;
  return (vfloat)((vint)v_select(size < 0x400, denormal, normal) | sign);
}

static inline vfloat v_low_fp16(vpair x) {
  return v_widen_fp16(x & 0xffff);
}

static inline vfloat v_high_fp16(vpair x) {
  return v_widen_fp16((x >> 16) & 0xffff);
}

/* x rounded to fp16, to nearest and ties to even, in the upper half of each lane, where it is no
 * float; NaN stays one, and numbers from 65520 on become infinite. The sum with 1/2 rounds to a
 * multiple of 2^-24; in the others the carry out of a fraction is one more in the exponent. */
static inline vfloat v_fp16(vfloat x) {
  const vint bits = (vint)x, size = bits & 0x7fffffff, sign = (bits >> 16) & 0x8000;
  const vfloat half = {0.5f, 0.5f, 0.5f, 0.5f};
  const vint denormal = (vint)((vfloat)size + half) - (vint)half;
  const vword wide = (vword)size; /* some NaN would overflow a signed one */
  const vint normal = (vint)((wide - (112u << 23) + 0xfff + ((wide >> 13) & 1)) >> 13);
  const vint beyond = size >= 0x47800000, nan = size > 0x7f800000, small = size < 0x38800000;
  const vint rounded = (small & denormal) | (~small & normal);
  const vint endless = 0x7c00 | (nan & (0x200 | ((size >> 13) & 0x3ff)));
  return (vfloat)((((beyond & endless) | (~beyond & rounded)) | sign) << 16);
}

/* x rounded to bf16, to nearest and ties to even; NaN stays one. */
static inline vfloat v_bf16(vfloat x) {
  const vword bits = (vword)x; /* likewise */
  const vword rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  return v_select(x == x, (vfloat)rounded, (vfloat)((bits & 0xffff0000u) | 0x400000));
}

/* The pairs of two vectors of 16-bit numbers, each in the upper half of its lane. */
static inline vpair v_join(vfloat low, vfloat high) {
  return (((vint)low >> 16) & 0xffff) | (vint)high;
}

/* Half as many pairs from such numbers, neighbours side by side. */
static inline void v_store_halves(uint32_t *p, vfloat x) {
  const vint bits = (vint)x;
  for (size_t i = 0; i < LANES; i += 2) {
    p[i / 2] = (uint32_t)bits[i] >> 16 | ((uint32_t)bits[i + 1] & 0xffff0000u);
  }
}

/* Zero where x is not finite, y elsewhere. */
static inline vfloat v_if_finite(vfloat x, vfloat y) {
  return (vfloat)((((vint)x & 0x7f800000) != 0x7f800000) & (vint)y);
}

#endif
