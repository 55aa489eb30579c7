/* kernel_yardstick.c - checks that peak counts what it computes and read sums what it reads. */
#include "tests/kernels/kernel_checks.h"

#include <math.h>

#include "bench/yardstick_kernels.h"

/* FLOPs grow with the rounds, and the sink depends on the work. */
void check_peak(const Kernels *kernels) {
  const YardstickKernels *const yardsticks = yardstick_kernels(kernels->isa);
  float sink = untouched_float();
  const double one = yardsticks->peak(1000, &sink);
  assert_false(is_untouched(&sink));
  assert_true(isfinite(sink));
  assert_true(one >= 1000.0);
  for (size_t factor = 2; factor <= 16; factor *= 2) {
    const double more = yardsticks->peak(1000 * factor, &sink);
    if (more != one * (double)factor)
      fail_kernel(kernels, "FLOPs", factor, 0, more, one * (double)factor);
  }
}

/* Small whole numbers add up without rounding, so that the sum is exact whatever its order, and
 * what is left out shows. What does not divide evenly may be at most a few vectors of each
 * stream. */
void check_read(const Kernels *kernels) {
  const YardstickKernels *const yardsticks = yardstick_kernels(kernels->isa);
  static const size_t streams[] = {1, 2, 4, 8};
  static const size_t counts[] = {0, 1024, 4096, 8192, 65536};
  for (size_t s = 0; s < COUNT_OF(streams); s++) {
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
      float *const data = new_packed(counts[k]);
      double sum = 0.0;
      for (size_t i = 0; i < counts[k]; i++) {
        data[i] = (float)(i * 7 % 13);
        sum += (double)data[i];
      }
      const float got = yardsticks->read(data, counts[k], streams[s]);
      if ((double)got != sum) fail_kernel(kernels, "sum", streams[s], counts[k], (double)got, sum);
      guarded_free(data, "data");
    }
    for (size_t count = 1; count < 2000; count += 97) {
      float *const data = new_packed(count);
      for (size_t i = 0; i < count; i++) data[i] = 1.0f;
      const float got = yardsticks->read(data, count, streams[s]);
      if (!(got <= (float)count && got >= (float)count - 64.0f * (float)streams[s] - 64.0f))
        fail_kernel(kernels, "floats read", streams[s], count, (double)got, (double)count);
      guarded_free(data, "data");
    }
  }
}
