#include "kernels/simd_scalar.h"

#include "kernels/wide_body.h"
