#include "kernels/simd_scalar.h"

#include "kernels/weigh_body.h"
