#include "kernels/simd_avx512.h"

#include "kernels/softmax_body.h"
