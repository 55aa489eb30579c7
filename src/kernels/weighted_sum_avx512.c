#include "kernels/simd_avx512.h"

#include "kernels/weighted_sum_body.h"
