#include "kernels/simd_avx2.h"

#include "kernels/scores_body.h"
