#include "kernels/simd_scalar.h"

#include "kernels/pack_body.h"
