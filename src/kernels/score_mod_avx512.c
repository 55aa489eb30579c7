#include "kernels/simd_avx512.h"

#include "kernels/score_mod_body.h"
