/* borrowed_table_body.h - the table of an ISA that has a unit for bf16 products: the families of
 * pairs are its own, the others those of AVX-512.
 */
#include "kernels/kernels.h"

#define BORROWED_JOIN2(a, b) a##_##b
#define BORROWED_JOIN(a, b) BORROWED_JOIN2(a, b)
#define OWN(family) BORROWED_JOIN(family, ISA_SUFFIX)

#define ATTEND_KERNEL(family, result, arguments) result family##_avx512 arguments;
#define ATTEND_KERNEL_OF_PAIRS(family, result, arguments) result OWN(family) arguments;
#include "kernels/kernels.def"
#undef ATTEND_KERNEL

extern const Kernels OWN(kernels);
const Kernels OWN(kernels) = {
    .isa = ISA_ID,
    .rows = ROWS,
    .tile = VECTORS * LANES,
    .pair_rows = PAIR_ROWS,
    .beside = MULTIPLIES_BESIDE,
#define ATTEND_KERNEL(family, result, arguments) .family = family##_avx512,
#define ATTEND_KERNEL_OF_PAIRS(family, result, arguments) .family = OWN(family),
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
};
