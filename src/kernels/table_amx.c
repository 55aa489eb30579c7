#include "kernels/simd_amx.h"

#include "kernels/borrowed_table_body.h"
