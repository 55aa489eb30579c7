/* table_body.h - the kernels of one ISA as a constant table, made from the manifest.
 *
 * A family that the manifest names and the ISA lacks does not link.
 */
#include "kernels/body.h"

_Static_assert(KERNEL_MIN_ROWS <= ROWS && ROWS <= KERNEL_MAX_ROWS, "mend the bounds in kernels.h");
_Static_assert(KERNEL_PANEL % TILE == 0, "a panel is a whole number of register tiles");

extern const Kernels BODY_JOIN(kernels, ISA_SUFFIX);
const Kernels BODY_JOIN(kernels, ISA_SUFFIX) = {
    .isa = ISA_ID,
    .rows = ROWS,
    .tile = TILE,
    .pair_rows = ROWS,
    .beside = false,
#define ATTEND_KERNEL(family, result, arguments) .family = MEMBER(family),
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
};
