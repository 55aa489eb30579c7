#include "kernels/simd_avx512.h"

#include "kernels/gemm_bf16_body.h"
