#include "kernels/simd_avx2.h"

#include "kernels/split_weights_body.h"
