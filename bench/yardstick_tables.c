/* yardstick_tables.c - finds the yardstick kernels of an ISA, as kernels.c finds the library's. */
#include "bench/yardstick_kernels.h"
#include "kernels/kernels.h"

#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  KERNEL_IF_##machine(extern const YardstickKernels KERNEL_MEMBER(yardsticks, name);)
#include "kernels/isas.def"
#undef ATTEND_ISA

const YardstickKernels *yardstick_kernels(AttendIsa isa) {
  static const YardstickKernels *const tables[ATTEND_ISA_COUNT] = {
#define ATTEND_ISA(name, id, machine, extends, needs, fp32_rank, bf16_rank)                        \
  KERNEL_IF_##machine([ATTEND_ISA_##id] = &KERNEL_MEMBER(yardsticks, name), )
#include "kernels/isas.def"
#undef ATTEND_ISA
  };
  return (size_t)isa < ATTEND_ISA_COUNT ? tables[isa] : NULL;
}
