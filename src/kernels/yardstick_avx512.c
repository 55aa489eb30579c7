#include "kernels/simd_avx512.h"

#include "kernels/yardstick_body.h"
