#include "kernels/simd_avx2.h"

#include "kernels/direct_body.h"
