#include "kernels/simd_avx2.h"

#include "kernels/gemm_bf16_body.h"
