#include "kernels/simd_amx.h"

#include "kernels/gemm_bf16_tiles_body.h"
