#include "kernels/simd_avx512.h"

#include "kernels/wide_body.h"
