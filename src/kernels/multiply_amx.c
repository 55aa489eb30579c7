#include "kernels/simd_amx.h"

#include "kernels/multiply_tiles_body.h"
