#include "kernels/simd_avx2.h"

#include "kernels/adjust_body.h"
