#include "kernels/simd_avx512.h"

#include "kernels/direct_body.h"
