#include "kernels/simd_scalar.h"

#include "kernels/adjust_body.h"
