#include "kernels/simd_avx512.h"

#include "kernels/gemm_mixed_body.h"
