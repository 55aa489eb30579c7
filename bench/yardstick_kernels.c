/* yardstick_kernels.c - what a processor does at best: multiply-adds in registers, and reading.
 *
 * Compiled once for each ISA, as a family of the library's kernels is. The peak keeps PEAK_CHAINS
 * independent chains going, enough to hide the latency of a multiply-add on every processor in use.
 * One stream does not show the bandwidth of the memory, because the prefetchers follow several at
 * once; so read takes the number of streams, and the caller keeps the best.
 */
#include "bench/yardstick_kernels.h"

#include "kernels/member.h"

static double peak(size_t rounds, float *sink) {
  const vfloat factor = v_set1(0.999f), step = v_set1(0.001f);
  vfloat chain[PEAK_CHAINS];
  UNROLL for (size_t i = 0; i < PEAK_CHAINS; i++) chain[i] = v_set1((float)i);
  for (size_t n = 0; n < rounds; n++) {
    UNROLL for (size_t i = 0; i < PEAK_CHAINS; i++) chain[i] = v_fma(chain[i], factor, step);
  }
  UNROLL for (size_t i = 1; i < PEAK_CHAINS; i++) chain[0] = v_add(chain[0], chain[i]);
  *sink = v_reduce_add(chain[0]);
  return 2.0 * LANES * PEAK_CHAINS * (double)rounds;
}

KERNEL_INLINE float read_streams(const float *data, size_t count, const size_t streams) {
  const size_t part = count / streams / (2 * LANES) * (2 * LANES);
  vfloat sum[16];
  UNROLL for (size_t i = 0; i < 2 * streams; i++) sum[i] = v_set1(0.0f);
  for (size_t e = 0; e < part; e += 2 * LANES) {
    UNROLL for (size_t s = 0; s < streams; s++) {
      const float *const here = data + s * part + e;
      sum[2 * s] = v_add(sum[2 * s], v_load(here));
      sum[2 * s + 1] = v_add(sum[2 * s + 1], v_load(here + LANES));
    }
  }
  UNROLL for (size_t i = 1; i < 2 * streams; i++) sum[0] = v_add(sum[0], sum[i]);
  return v_reduce_add(sum[0]);
}

static float read_floats(const float *data, size_t count, size_t streams) {
  switch (streams) {
  case 1:
    return read_streams(data, count, 1);
  case 2:
    return read_streams(data, count, 2);
  case 4:
    return read_streams(data, count, 4);
  default:
    return read_streams(data, count, 8);
  }
}

extern const YardstickKernels MEMBER(yardsticks);
const YardstickKernels MEMBER(yardsticks) = {.peak = peak, .read = read_floats};
