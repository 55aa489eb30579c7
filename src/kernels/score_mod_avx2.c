#include "kernels/simd_avx2.h"

#include "kernels/score_mod_body.h"
