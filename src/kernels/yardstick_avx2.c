#include "kernels/simd_avx2.h"

#include "kernels/yardstick_body.h"
