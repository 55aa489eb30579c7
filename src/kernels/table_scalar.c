#include "kernels/simd_scalar.h"

#include "kernels/table_body.h"
