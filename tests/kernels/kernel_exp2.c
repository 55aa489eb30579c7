/* kernel_exp2.c - sweeps 2^x over its whole range for the largest error and checks special
 * values. */
#include "tests/kernels/kernel_checks.h"

#include <math.h>
#include <string.h>

#define SWEEP_BLOCK 4096
#define SWEEP_STEP 13 /* every 13th float of [-127, -2^-40] */

/* Distance from the exact value in units of the last place of a float of that size. */
static double error_ulp(float got, double exact) {
  return fabs((double)got - exact) / ldexp(1.0, ilogb(exact) - 23);
}

static void sweep_exp2(const Kernels *kernels, double *worst, float *witness) {
  const float first = 0x1p-40f, last = 127.0f;
  uint32_t bits, end;
  memcpy(&bits, &first, sizeof bits);
  memcpy(&end, &last, sizeof end);
  float *const x = new_packed(SWEEP_BLOCK), *const y = new_packed(SWEEP_BLOCK);
  while (bits <= end) {
    size_t count = 0;
    for (; count < SWEEP_BLOCK && bits <= end; bits += SWEEP_STEP, count++) {
      memcpy(x + count, &bits, sizeof bits);
      x[count] = -x[count];
    }
    kernels->exp2(count, x, y);
    for (size_t i = 0; i < count; i++) {
      if (x[i] < -126.5f && y[i] != 0.0f)
        fail_kernel(kernels, "2^x far down", 0, i, (double)y[i], 0.0);
      if (x[i] < -126.0f) {
        if (!(y[i] >= 0.0f && y[i] <= 0x1p-125f))
          fail_kernel(kernels, "2^x below the normal range", 0, i, (double)y[i], 0.0);
        continue;
      }
      const double ulp = error_ulp(y[i], exp2((double)x[i]));
      if (!(ulp <= *worst)) {
        *worst = ulp;
        *witness = x[i];
      }
    }
  }
  guarded_free(x, "x");
  guarded_free(y, "y");
}

/* Every count around the vectors, with the special values at each place. */
static void check_exp2_specials(const Kernels *kernels) {
  static const float specials[] = {0.0f,    -0.0f,    -INFINITY, NAN,
                                   -126.6f, -1000.0f, -3.4e38f,  -0x1p-149f};
  static const float expected[] = {1.0f, 1.0f, 0.0f, NAN, 0.0f, 0.0f, 0.0f, 1.0f};
  for (size_t count = 0; count <= 2 * KERNEL_PANEL + 3; count++) {
    float *const x = new_packed(count), *const y = new_packed(count);
    for (size_t i = 0; i < count; i++) x[i] = specials[(i + count) % COUNT_OF(specials)];
    kernels->exp2(count, x, y);
    for (size_t i = 0; i < count; i++) {
      const float want = expected[(i + count) % COUNT_OF(specials)];
      if (isnan(want) ? !isnan(y[i]) : y[i] != want)
        fail_kernel(kernels, "2^x of a special value", count, i, (double)y[i], (double)want);
    }
    guarded_free(x, "x");
    guarded_free(y, "y");
  }
}

void check_exp2(const Kernels *kernels) {
  double worst = 0.0;
  float witness = 0.0f;
  check_exp2_specials(kernels);
  sweep_exp2(kernels, &worst, &witness);
  print_message("# exp2 isa=%s: largest error %.4f ULP at %.9g (%a)\n",
                attend_isa_name(kernels->isa), worst, (double)witness, (double)witness);
  if (!(worst <= 2.0)) fail_kernel(kernels, "largest error in ULP", 0, 0, worst, 2.0);
  for (int n = -126; n <= 0; n++) {
    const float x = (float)n;
    float y = untouched_float();
    kernels->exp2(1, &x, &y);
    if (error_ulp(y, exp2((double)n)) > 1.0)
      fail_kernel(kernels, "2^x of a whole number", 0, 0, (double)y, exp2((double)n));
  }
}
