#include "kernels/simd_amx.h"

#include "kernels/split_weights_body.h"
