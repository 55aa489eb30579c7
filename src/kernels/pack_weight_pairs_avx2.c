#include "kernels/simd_avx2.h"

#include "kernels/pack_weight_pairs_body.h"
