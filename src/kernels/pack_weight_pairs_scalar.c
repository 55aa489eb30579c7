#include "kernels/simd_scalar.h"

#include "kernels/pack_weight_pairs_body.h"
