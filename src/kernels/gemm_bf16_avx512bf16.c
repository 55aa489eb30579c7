#include "kernels/simd_avx512bf16.h"

#include "kernels/gemm_bf16_body.h"
