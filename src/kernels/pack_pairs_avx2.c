#include "kernels/simd_avx2.h"

#include "kernels/pack_pairs_body.h"
