/* emulated_kernels.c - puts AMX's `gemm_bf16` on emulated tiles into a table of kernels. */
#include "tests/emulator/emulated_kernels.h"

Kernels emulated_kernels(const Kernels *isa) {
  Kernels kernels = *isa;
  kernels.tile = KERNEL_PANEL;
  kernels.pair_rows = KERNEL_MAX_ROWS;
  kernels.beside = true;
  kernels.gemm_bf16 = EMULATED(gemm_bf16);
  kernels.release = EMULATED(release);
  return kernels;
}
