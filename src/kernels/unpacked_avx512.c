#include "kernels/simd_avx512.h"

#include "kernels/unpacked_body.h"
