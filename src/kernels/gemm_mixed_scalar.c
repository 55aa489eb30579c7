#include "kernels/simd_scalar.h"

#include "kernels/gemm_mixed_body.h"
