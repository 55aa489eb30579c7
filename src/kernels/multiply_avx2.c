#include "kernels/simd_avx2.h"

#include "kernels/multiply_body.h"
