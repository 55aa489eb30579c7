#include "kernels/simd_scalar.h"

#include "kernels/pack_pairs_body.h"
