#include "kernels/simd_avx2.h"

#include "kernels/weigh_body.h"
