#include "kernels/simd_scalar.h"

#include "kernels/score_mod_body.h"
