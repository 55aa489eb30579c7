#include "kernels/simd_avx512bf16.h"

#include "kernels/split_weights_body.h"
