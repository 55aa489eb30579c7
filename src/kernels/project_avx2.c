#include "kernels/simd_avx2.h"

#include "kernels/project_body.h"
