#include "kernels/simd_avx2.h"

#include "kernels/table_body.h"
