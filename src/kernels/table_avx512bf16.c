#include "kernels/simd_avx512bf16.h"

#include "kernels/borrowed_table_body.h"
