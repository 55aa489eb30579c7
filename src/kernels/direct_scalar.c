#include "kernels/simd_scalar.h"

#include "kernels/direct_body.h"
