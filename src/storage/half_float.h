/* half_float.h - a number of 16 bits to fp32, exactly.
 *
 * fp16 and bf16 are subsets of fp32. Their conversion is exact for every pattern of bits, also
 * where the host has switched subnormals off, because it is done on integers. Many numbers at a
 * time are the kernels' work (simd/<isa>.h).
 */
#ifndef ATTEND_SRC_STORAGE_HALF_FLOAT_H
#define ATTEND_SRC_STORAGE_HALF_FLOAT_H

#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

static inline float widen_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline float widen_bf16(uint16_t bits) {
  return widen_bits((uint32_t)bits << 16);
}

/* 1 sign, 5 exponent (bias 15), 10 fraction. A subnormal is normal in fp32: its fraction is shifted
 * until the leading one falls out, and the exponent (bias 127) falls by as many. */
static inline float widen_f16(uint16_t bits) {
  const uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
  if (exponent == 31) return widen_bits(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return widen_bits(sign | (exponent + 112) << 23 | fraction << 13);
  if (fraction == 0) return widen_bits(sign);
  const uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21;
  return widen_bits(sign | (113 - shift) << 23 | (fraction << shift & 0x3ff) << 13);
}

/* A number of a type with 16 bits. */
static inline float half_widen(KernelNumber number, uint16_t bits) {
  return number == KERNEL_FP16 ? widen_f16(bits) : widen_bf16(bits);
}

/* The bits of its exponent, all of which are set in infinities and NaN. */
static inline uint16_t half_exponent(KernelNumber number) {
  return number == KERNEL_FP16 ? 0x7c00 : 0x7f80;
}

#endif
