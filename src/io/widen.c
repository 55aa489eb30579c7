/* widen.c - converts a buffer of numbers to fp32. half_float.h has the arithmetic of one number. */
#include "io/widen.h"

static void widen_halves(const char *from, size_t count, float (*one)(uint16_t), float *to) {
  for (size_t i = 0; i < count; i++) {
    uint16_t bits;
    memcpy(&bits, from + i * sizeof bits, sizeof bits);
    to[i] = one(bits);
  }
}

static void round_doubles(const char *from, size_t count, float *to) {
  for (size_t i = 0; i < count; i++) {
    double value;
    memcpy(&value, from + i * sizeof value, sizeof value);
    to[i] = (float)value;
  }
}

void widen_numbers(NumberKind kind, const void *from, size_t count, float *to) {
  switch (kind) {
  case NUMBER_F32:
    if (count > 0) memcpy(to, from, count * sizeof *to);
    return;
  case NUMBER_F16:
    widen_halves(from, count, widen_f16, to);
    return;
  case NUMBER_BF16:
    widen_halves(from, count, widen_bf16, to);
    return;
  case NUMBER_F64:
    round_doubles(from, count, to);
    return;
  }
}
