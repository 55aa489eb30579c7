/* kernel_tiles.c - checks the body of AMX's `multiply` on emulated tiles, on any machine.
 *
 * The body is the one that src/kernels/multiply_amx.c compiles; the tiles do what the manual says of
 * them. Between it and the processor are only the six macros of src/kernels/simd_amx.h.
 */
#include "kernels/simd_scalar.h"

#undef ISA_SUFFIX
#define ISA_SUFFIX emulated

#include "tests/emulated_tiles.h"

#include "kernels/multiply_tiles_body.h"
#include "tests/kernel_checks.h"

static void multiply_and_look(size_t rows, size_t pairs, size_t width, size_t order, KernelPairs a,
                              KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  multiply_emulated(rows, pairs, width, order, a, b, rescale, c, c_stride);
  if (emulated_is_configured()) fail_msg("the tiles are still configured after the call");
}

void check_emulated_tiles(void) {
  Kernels kernels = *kernels_get(ATTEND_ISA_SCALAR);
  kernels.isa = ATTEND_ISA_AMX;
  kernels.tile = KERNEL_PANEL;
  kernels.pair_rows = KERNEL_MAX_ROWS;
  kernels.multiply = multiply_and_look;
  check_multiply(&kernels);
}
