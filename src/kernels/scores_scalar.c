#include "kernels/simd_scalar.h"

#include "kernels/scores_body.h"
