/* emulated_kernels.c - compiles the body of AMX's `gemm_bf16` for emulated tiles, and puts it into
 * tables.
 *
 * What the body does beside tiles it does with the vectors of the scalar ISA, which every machine
 * has; so a multiply-add outside tiles rounds twice here.
 */
#include "kernels/simd_scalar.h"

#undef ISA_SUFFIX
#define ISA_SUFFIX emulated

#include "tests/emulator/emulated_tiles.h"

#include "kernels/gemm_bf16_tiles_body.h"
#include "tests/emulator/emulated_kernels.h"

Kernels emulated_kernels(const Kernels *isa) {
  Kernels kernels = *isa;
  kernels.tile = KERNEL_PANEL;
  kernels.pair_rows = KERNEL_MAX_ROWS;
  kernels.beside = true;
  kernels.gemm_bf16 = gemm_bf16_emulated;
  kernels.release = release_emulated;
  return kernels;
}
