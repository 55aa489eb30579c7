#include "kernels/simd_avx512.h"

#include "kernels/table_body.h"
