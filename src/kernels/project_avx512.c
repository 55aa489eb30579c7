#include "kernels/simd_avx512.h"

#include "kernels/project_body.h"
