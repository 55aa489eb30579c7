#include "kernels/simd_avx2.h"

#include "kernels/wide_body.h"
