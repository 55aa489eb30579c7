#include "kernels/simd_avx2.h"

#include "kernels/weighted_sum_body.h"
