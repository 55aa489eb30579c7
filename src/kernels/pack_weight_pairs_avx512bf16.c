#include "kernels/simd_avx512bf16.h"

#include "kernels/pack_weight_pairs_body.h"
