/* kernel_tiles.c - checks the body of AMX's `multiply` on emulated tiles, on any machine, and the
 * emulated tiles against those of a processor that has some.
 *
 * The body is the one that src/kernels/multiply_amx.c compiles; the tiles do what the manual says
 * of them. Between it and the processor are only the six macros of src/kernels/simd_amx.h.
 */
#include "kernels/simd_scalar.h"

#undef ISA_SUFFIX
#define ISA_SUFFIX emulated

#include "tests/emulated_tiles.h"

#include <math.h>

#include "kernels/multiply_tiles_body.h"
#include "tests/kernel_multiply.h"

static void multiply_and_look(size_t rows, size_t pairs, size_t width, size_t order, KernelPairs a,
                              KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  multiply_emulated(rows, pairs, width, order, a, b, rescale, c, c_stride);
  if (!emulated_is_configured()) fail_msg("the next call will not find its tiles configured");
}

static void end_and_look(void) {
  multiply_end_emulated();
  if (emulated_is_configured()) fail_msg("the tiles are still configured after multiply_end");
}

static Kernels emulated_kernels(void) {
  Kernels kernels = *kernels_get(ATTEND_ISA_SCALAR);
  kernels.isa = ATTEND_ISA_AMX;
  kernels.tile = KERNEL_PANEL;
  kernels.pair_rows = KERNEL_MAX_ROWS;
  kernels.multiply = multiply_and_look;
  kernels.multiply_end = end_and_look;
  return kernels;
}

void check_emulated_tiles(void) {
  const Kernels kernels = emulated_kernels();
  check_multiply(&kernels);
  check_multiply_end(&kernels);
}

/* Rows of random bits, the finite ones, whose exponents reach the higher the further down a row
 * stands: sums from denormal ones to such as overflow. */
static void spread_rows(const MultiplyCall *call) {
  for (size_t p = 0; p < call->a.planes; p++) {
    for (size_t r = 0; r < call->rows; r++) {
      for (size_t i = 0; i < call->pairs; i++) {
        uint32_t *const pair = pair_of_row(call, p, r, i);
        const uint32_t bits = (uint32_t)(((p * 64 + r) * 4099 + i) * 2654435761u);
        const uint32_t most = (uint32_t)(254 * (r + 1) / call->rows);
        const uint32_t first = (bits >> 3) % (most + 1), second = (bits >> 13) % (most + 1);
        *pair = (bits & 0x807f807fu) | first << 7 | second << 23;
      }
    }
  }
}

static void require_same_bits(const Kernels *kernels, const MultiplyCall *call, bool rescaled) {
  const Kernels emulated = emulated_kernels();
  float *const c = multiply_run(kernels, call, rescaled);
  float *const expected = multiply_run(&emulated, call, rescaled);
  for (size_t at = 0; at < call->c_floats; at++) {
    if (isnan(c[at]) && isnan(expected[at])) continue; /* whose bits nobody promises */
    if (!same_float(c[at], expected[at]))
      fail_kernel(kernels, rescaled ? "rescaled sum" : "sum", at / call->c_stride,
                  at % call->c_stride, (double)c[at], (double)expected[at]);
  }
  guarded_free(c, "sums");
  guarded_free(expected, "sums");
}

void check_tiles_of_processor(const Kernels *kernels) {
  if (kernels->isa != ATTEND_ISA_AMX) return;
  static const size_t heights[] = {1, 16, 17, KERNEL_MAX_ROWS};
  for (size_t order = 1; order <= KERNEL_MAX_PLANES; order++) {
    for (size_t h = 0; h < COUNT_OF(heights); h++) {
      MultiplyCall call = multiply_new(heights[h], KERNEL_CHAIN + KERNEL_STEP, 2 * KERNEL_PANEL,
                                       order, order, order);
      /* Powers of two: the emulated tiles' vocabulary rounds a multiply-add twice. */
      for (size_t r = 0; r < call.rows; r++)
        call.rescale[r] = r % 3 ? 0.25f * (float)(r % 3) : 0.0f;
      for (int spread = 0; spread < 2; spread++) {
        require_same_bits(kernels, &call, false);
        require_same_bits(kernels, &call, true);
        spread_rows(&call);
      }
      multiply_free(&call);
    }
  }
}
