#include "kernels/simd_scalar.h"

#include "kernels/softmax_body.h"
