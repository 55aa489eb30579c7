/* kernel_pairs.c - rounds to bf16 and fp16 in double, and makes numbers whose terms are hard to get
 * right. */
#include "tests/kernels/kernel_pairs.h"

#include <math.h>
#include <string.h>

#define SMALLEST_EXPONENT (-126) /* of a normal float, and of a normal bf16 number */
#define FRACTION_BITS 7

/* To a format whose normal numbers have exponents from `smallest` up to `largest`. */
static double round_to(double x, int smallest, int largest, int fraction_bits) {
  if (isnan(x) || isinf(x) || x == 0.0) return x;
  const int exponent = ilogb(x) < smallest ? smallest : ilogb(x);
  const double unit = ldexp(1.0, exponent - fraction_bits);
  const double rounded = nearbyint(x / unit) * unit;
  return fabs(rounded) >= ldexp(2.0, largest) ? copysign(INFINITY, x) : copysign(rounded, x);
}

static double round_to_bf16(double x) {
  return round_to(x, SMALLEST_EXPONENT, 127, FRACTION_BITS);
}

double round_to_fp16(double x) {
  return round_to(x, -14, 15, 10);
}

double fp16_number(uint32_t bits) {
  const double sign = bits & 0x8000u ? -1.0 : 1.0;
  const int exponent = (int)(bits >> 10 & 31u), fraction = (int)(bits & 0x3ffu);
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * ldexp(fraction, -24);
  return sign * ldexp(1024 + fraction, exponent - 25);
}

void terms_of(float x, double terms[static KERNEL_MAX_TERMS]) {
  double rest = (double)x;
  for (size_t p = 0; p < KERNEL_MAX_TERMS; p++) {
    terms[p] = round_to_bf16(rest);
    rest = isfinite(terms[p]) ? rest - terms[p] : 0.0;
  }
}

uint32_t bf16_bits(double x) {
  const float narrow = (float)x;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof bits);
  return bits >> 16;
}

double bf16_number(uint32_t bits) {
  const uint32_t wide = bits << 16;
  float x;
  memcpy(&x, &wide, sizeof x);
  return (double)x;
}

double pair_element(uint32_t pair, size_t element) {
  return bf16_number(element ? pair >> 16 : pair & 0xffffu);
}

void set_pair_element(uint32_t *pair, size_t element, double x) {
  const uint32_t bits = bf16_bits(x);
  *pair = element ? (*pair & 0xffffu) | bits << 16 : (*pair & 0xffff0000u) | bits;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

float odd_float(uint64_t index) {
  /* Signalling NaN, both sides of the last number that term 0 can hold, a tie in each term that
   * goes up and one that goes down, denormals. */
  static const uint32_t specials[] = {
      0x00000000u, 0x80000000u, 0x7f800000u, 0xff800000u, 0x7fc00000u, 0x7f800001u, 0xffffffffu,
      0x7f7f7fffu, 0x7f7f8000u, 0x7f7fffffu, 0xff7f7fffu, 0xff7f8000u, 0x3f808000u, 0x3f818000u,
      0x3f800080u, 0x3f800180u, 0x3f807fffu, 0x3f808001u, 0x00800000u, 0x007fffffu, 0x00000001u,
      0x80000001u, 0x00008000u, 0x00018000u, 0x807f8000u, 0x0080ffffu, 0x06ffffffu, 0x3f7fffffu};
  const size_t every = 3;
  if (index % every == 0) return float_of(specials[index / every % COUNT_OF(specials)]);
  float fraction;
  fill_random(index, 1.0f, &fraction, 1);
  const int exponent = (int)(index * 37 % 280) - 150;
  return (float)ldexp((double)fraction, exponent > 127 ? 127 : exponent);
}

uint32_t *fenced_pairs_new(size_t pairs) {
  return (uint32_t *)(void *)fenced_new(pairs);
}

void fenced_pairs_free(const uint32_t *pairs, size_t count) {
  fenced_free((float *)(void *)(uintptr_t)pairs, count);
}
