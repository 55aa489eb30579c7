#include "kernels/simd_avx2.h"

#include "kernels/unpacked_body.h"
