#include "kernels/simd_scalar.h"

#include "kernels/yardstick_body.h"
