#include "kernels/simd_scalar.h"

#include "kernels/weighted_sum_body.h"
