#include "kernels/simd_scalar.h"

#include "kernels/multiply_body.h"
