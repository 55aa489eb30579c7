#include "kernels/simd_avx512.h"

#include "kernels/pack_pairs_body.h"
