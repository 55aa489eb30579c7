/* kernels.c - finds the table of an ISA. The tables themselves are table.c, compiled once for each.
 *
 * Constant data: nothing is detected or changed here. platform/cpu.c says which of these ISAs the
 * processor runs.
 */
#include "kernels/kernels.h"

#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  KERNEL_IF_##machine(extern const Kernels KERNEL_MEMBER(kernels, name);)
#include "kernels/isas.def"
#undef ATTEND_ISA

const Kernels *kernels_get(AttendIsa isa) {
  static const Kernels *const tables[ATTEND_ISA_COUNT] = {
#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  KERNEL_IF_##machine([ATTEND_ISA_##id] = &KERNEL_MEMBER(kernels, name), )
#include "kernels/isas.def"
#undef ATTEND_ISA
  };
  return (size_t)isa < ATTEND_ISA_COUNT ? tables[isa] : NULL;
}

static const char *const families[] = {
#define ATTEND_KERNEL(family, result, arguments) #family,
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
    NULL,
};

const char *const *kernels_families(void) {
  return families;
}
