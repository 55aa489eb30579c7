/* kernels.c - finds the table of an ISA. The tables themselves are table.c, compiled once for each.
 *
 * Constant data: nothing is detected or changed here. Which ISAs are in a build is the build file's
 * decision (ATTEND_BUILD_<ISA>); which of them this processor runs is cpu.c's.
 */
#include "kernels/kernels.h"

extern const Kernels KERNEL_MEMBER(kernels, scalar);
#ifdef ATTEND_BUILD_AVX2
extern const Kernels KERNEL_MEMBER(kernels, avx2);
#endif
#ifdef ATTEND_BUILD_AVX512
extern const Kernels KERNEL_MEMBER(kernels, avx512);
#endif
#ifdef ATTEND_BUILD_AVX512BF16
extern const Kernels KERNEL_MEMBER(kernels, avx512bf16);
#endif
#ifdef ATTEND_BUILD_AMX
extern const Kernels KERNEL_MEMBER(kernels, amx);
#endif

const Kernels *kernels_get(AttendIsa isa) {
  switch (isa) {
  case ATTEND_ISA_SCALAR:
    return &KERNEL_MEMBER(kernels, scalar);
#ifdef ATTEND_BUILD_AVX2
  case ATTEND_ISA_AVX2:
    return &KERNEL_MEMBER(kernels, avx2);
#endif
#ifdef ATTEND_BUILD_AVX512
  case ATTEND_ISA_AVX512:
    return &KERNEL_MEMBER(kernels, avx512);
#endif
#ifdef ATTEND_BUILD_AVX512BF16
  case ATTEND_ISA_AVX512_BF16:
    return &KERNEL_MEMBER(kernels, avx512bf16);
#endif
#ifdef ATTEND_BUILD_AMX
  case ATTEND_ISA_AMX:
    return &KERNEL_MEMBER(kernels, amx);
#endif
  default:
    return NULL;
  }
}

const char *const *kernels_families(void) {
  static const char *const families[] = {
#define ATTEND_KERNEL(family, result, arguments) #family,
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
    NULL
  };
  return families;
}
