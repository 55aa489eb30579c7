/* table_body.h - the kernels of one ISA as a constant table, made from the manifest.
 *
 * A family that the manifest names and the ISA lacks does not link.
 */
#include "kernels/body.h"

_Static_assert(ROWS <= KERNEL_MAX_ROWS, "raise KERNEL_MAX_ROWS in kernels.h");
_Static_assert(PANEL <= KERNEL_MAX_PANEL, "raise KERNEL_MAX_PANEL in kernels.h");

extern const Kernels BODY_JOIN(kernels, ISA_SUFFIX);
const Kernels BODY_JOIN(kernels, ISA_SUFFIX) = {
    .isa = ISA_ID,
    .rows = ROWS,
    .panel = PANEL,
#define ATTEND_KERNEL(family, result, arguments) .family = MEMBER(family),
#include "kernels.def"
#undef ATTEND_KERNEL
};
