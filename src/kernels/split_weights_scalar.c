#include "kernels/simd_scalar.h"

#include "kernels/split_weights_body.h"
