/* table.c - the kernels of one ISA as a constant table, made from the manifest.
 *
 * An ISA that borrows (ISA_BORROWS) has members of its own in the families that the manifest marks,
 * and takes all others from the ISA that it names. A family that the manifest names and the ISA
 * lacks does not link.
 */
#include "kernels/member.h"

_Static_assert(KERNEL_MIN_ROWS <= BLOCK_ROWS && BLOCK_ROWS <= KERNEL_MAX_ROWS,
               "mend the bounds in kernels.h");
_Static_assert(KERNEL_PANEL % BLOCK_COLUMNS == 0, "a panel is a whole number of register blocks");

#ifdef ISA_BORROWS
#  define BORROWED(family) MEMBER_OF(family, ISA_BORROWS)
#  define ATTEND_KERNEL(family, result, arguments) result BORROWED(family) arguments;
#  define ATTEND_KERNEL_BF16(family, result, arguments)
#  include "kernels/kernels.def"
#  undef ATTEND_KERNEL
#else
#  define BORROWED(family) MEMBER(family)
#endif

extern const Kernels MEMBER(kernels);
const Kernels MEMBER(kernels) = {
    .isa = ISA_ID,
    .block_rows = BLOCK_ROWS,
    .block_columns = BLOCK_COLUMNS,
    .gemm_bf16_rows = GEMM_BF16_ROWS,
    .gemm_bf16_has_own_unit = GEMM_BF16_HAS_OWN_UNIT,
#ifdef ISA_HAS_BF16_DOT
    .has_bf16_dot = true,
#endif
#define ATTEND_KERNEL(family, result, arguments) .family = BORROWED(family),
#define ATTEND_KERNEL_BF16(family, result, arguments) .family = MEMBER(family),
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
};
