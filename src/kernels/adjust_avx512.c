#include "kernels/simd_avx512.h"

#include "kernels/adjust_body.h"
