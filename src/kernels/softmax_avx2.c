#include "kernels/simd_avx2.h"

#include "kernels/softmax_body.h"
