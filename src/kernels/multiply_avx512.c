#include "kernels/simd_avx512.h"

#include "kernels/multiply_body.h"
