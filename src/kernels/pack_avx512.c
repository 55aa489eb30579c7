#include "kernels/simd_avx512.h"

#include "kernels/pack_body.h"
