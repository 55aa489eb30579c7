#include "kernels/simd_scalar.h"

#include "kernels/split_body.h"
