#include "kernels/simd_scalar.h"

#include "kernels/unpacked_body.h"
