#include "kernels/simd_avx512.h"

#include "kernels/weigh_body.h"
