#include "kernels/simd_scalar.h"

#include "kernels/gemm_bf16_body.h"
