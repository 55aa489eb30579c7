#include "kernels/simd_avx512bf16.h"

#include "kernels/multiply_body.h"
