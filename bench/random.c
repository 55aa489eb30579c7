/* random.c - a counter-based generator: SplitMix64's finaliser over seed, stream and index.
 *
 * Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. The top 24
 * bits become the float, which represents all of them exactly.
 */
#include "bench/random.h"

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

void random_fill(uint64_t seed, uint64_t stream, float scale, float *data, size_t count) {
  const uint64_t gamma = UINT64_C(0x9e3779b97f4a7c15);
  const uint64_t start = mix(mix(seed + gamma) + stream * gamma);
#pragma omp parallel for schedule(static)
  for (size_t i = 0; i < count; i++) {
    const float unit = (float)(mix(start + i * gamma) >> 40) * 0x1p-24f;
    data[i] = scale * (2.0f * unit - 1.0f);
  }
}
