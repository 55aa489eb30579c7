#include "kernels/simd_avx512.h"

#include "kernels/pack_weight_pairs_body.h"
