#include "kernels/simd_avx512.h"

#include "kernels/split_weights_body.h"
