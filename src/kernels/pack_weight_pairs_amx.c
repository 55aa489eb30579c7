#include "kernels/simd_amx.h"

#include "kernels/pack_weight_pairs_body.h"
