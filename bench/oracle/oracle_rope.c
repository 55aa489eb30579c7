/* oracle_rope.c - RoPE in long double, written from the papers. */
#include "bench/oracle/oracle_rope.h"

#include <math.h>

#define TWO_PI 6.283185307179586476925286766559L

/* base^(-2x/dims), also between pairs (Su et al. 2021, section 3.2.2). */
static long double plain_frequency(const OracleRope *rope, long double base, long double x) {
  return expl(-2.0L * x / (long double)rope->dims * logl(base));
}

/* Full rotations of pair x over the positions of training (Peng et al. 2023, equation 17). */
static long double rotations(const OracleRope *rope, long double x) {
  return rope->original * plain_frequency(rope, rope->base, x) / TWO_PI;
}

/* The place at which a pair would rotate so many times; rotations fall from pair to pair. */
static long double find_pair(const OracleRope *rope, long double wanted) {
  long double low = -1000.0L, high = 1000.0L;
  for (int step = 0; step < 200; step++) {
    const long double middle = (low + high) / 2.0L;
    if (rotations(rope, middle) > wanted) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2.0L;
}

/* How far pair k is stretched: 0 up to the fast end of the band, 1 from its slow end on. The
 * ends are whole pairs and within 0 .. dims - 1 in the code published with the paper. */
static long double yarn_share(const OracleRope *rope, size_t k) {
  long double begin = find_pair(rope, rope->many), end = find_pair(rope, rope->few);
  if (!rope->fractional) {
    begin = floorl(begin);
    end = ceill(end);
  }
  if (begin < 0.0L) begin = 0.0L;
  if (end > (long double)rope->dims - 1.0L) end = (long double)rope->dims - 1.0L;
  if (begin == end) end += 0.001L;
  const long double share = ((long double)k - begin) / (end - begin);
  return share < 0.0L ? 0.0L : share > 1.0L ? 1.0L : share;
}

/* Waves by their length in positions: short ones stay, long ones are stretched (Llama 3.1). */
static long double bands_frequency(const OracleRope *rope, long double plain) {
  const long double wave = TWO_PI / plain;
  if (wave < rope->original / rope->many) return plain;
  if (wave > rope->original / rope->few) return plain / rope->factor;
  const long double kept = (rope->original / wave - rope->few) / (rope->many - rope->few);
  return plain * kept + plain * (1.0L - kept) / rope->factor;
}

long double oracle_rope_frequency(const OracleRope *rope, size_t k) {
  const long double plain = plain_frequency(rope, rope->base, (long double)k);
  switch (rope->kind) {
  case ORACLE_ROPE_PLAIN:
    break;
  case ORACLE_ROPE_LINEAR:
    return plain / rope->factor;
  case ORACLE_ROPE_NTK: {
    /* The base that stretches the slowest pair by the factor and leaves the fastest alone. */
    const long double dims = (long double)rope->dims;
    const long double log_base = logl(rope->base) + logl(rope->factor) * dims / (dims - 2.0L);
    return expl(-2.0L * (long double)k / dims * log_base);
  }
  case ORACLE_ROPE_YARN: {
    const long double share = yarn_share(rope, k);
    return plain * (1.0L - share) + plain / rope->factor * share;
  }
  case ORACLE_ROPE_BANDS:
    return bands_frequency(rope, plain);
  }
  return plain;
}

long double oracle_rope_attention(const OracleRope *rope) {
  if (rope->kind != ORACLE_ROPE_YARN) return 1.0L;
  return rope->attention != 0.0L ? rope->attention : 0.1L * logl(rope->factor) + 1.0L;
}

static void rotate_pair(const OracleRope *rope, size_t k, long double cosine, long double sine,
                        double *head) {
  const size_t first = rope->interleaved ? 2 * k : k;
  const size_t second = rope->interleaved ? 2 * k + 1 : k + rope->dims / 2;
  const long double a = (long double)head[first], b = (long double)head[second];
  head[first] = (double)(a * cosine - b * sine);
  head[second] = (double)(a * sine + b * cosine);
}

void oracle_rope_rotate(const OracleRope *rope, int64_t position, double *head) {
  const long double attention = oracle_rope_attention(rope);
  for (size_t k = 0; k < rope->dims / 2; k++) {
    const long double angle = (long double)position * oracle_rope_frequency(rope, k);
    rotate_pair(rope, k, attention * cosl(angle), attention * sinl(angle), head);
  }
}

void oracle_rope_frequencies(const OracleRope *rope, long double *frequencies) {
  for (size_t k = 0; k < rope->dims / 2; k++) frequencies[k] = oracle_rope_frequency(rope, k);
}

void oracle_rope_rotations(const OracleRope *rope, const long double *frequencies, int64_t position,
                           long double *rotations) {
  const long double attention = oracle_rope_attention(rope);
  for (size_t k = 0; k < rope->dims / 2; k++) {
    const long double angle = (long double)position * frequencies[k];
    rotations[2 * k] = attention * cosl(angle);
    rotations[2 * k + 1] = attention * sinl(angle);
  }
}

void oracle_rope_apply(const OracleRope *rope, const long double *rotations, double *head) {
  for (size_t k = 0; k < rope->dims / 2; k++)
    rotate_pair(rope, k, rotations[2 * k], rotations[2 * k + 1], head);
}
