#include "kernels/simd_avx512.h"

#include "kernels/scores_body.h"
