#include "kernels/simd_avx2.h"

#include "kernels/pack_body.h"
