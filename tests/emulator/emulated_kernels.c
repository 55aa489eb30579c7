/* emulated_kernels.c - puts AMX's `gemm_bf16` on emulated tiles into a table of kernels. */
#include "tests/emulator/emulated_kernels.h"

Kernels emulated_kernels(const Kernels *isa) {
  Kernels kernels = *isa;
  kernels.block_columns = KERNEL_PANEL;
  kernels.gemm_bf16_rows = KERNEL_MAX_ROWS;
  kernels.gemm_bf16_has_own_unit = true;
  kernels.gemm_bf16 = EMULATED(gemm_bf16);
  kernels.release = EMULATED(release);
  return kernels;
}
