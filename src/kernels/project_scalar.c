#include "kernels/simd_scalar.h"

#include "kernels/project_body.h"
