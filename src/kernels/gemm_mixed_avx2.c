#include "kernels/simd_avx2.h"

#include "kernels/gemm_mixed_body.h"
