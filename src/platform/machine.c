/* machine.c - attend_describe_machine(): processor, caches, cores and BLAS as found. */
#include <stdio.h>
#include <string.h>

#include "attend/attend.h"
#include "kernels/kernels.h"
#include "platform/blas.h"
#include "platform/cpu.h"
#include "platform/parallel.h"

/* "OpenBLAS 0.3.21 NO_LAPACKE ..." -> "0.3.21" */
static void copy_version(const char *config, char *version, size_t size) {
  const char *const digits = strpbrk(config, "0123456789");
  const int length = digits ? (int)strcspn(digits, " ") : 0;
  snprintf(version, size, "%.*s", length, digits ? digits : "");
}

AttendStatus attend_describe_machine(AttendMachine *machine) {
  if (!machine) return ATTEND_STATUS_NULL_POINTER;
  *machine = (AttendMachine){.isa_best = cpu_best(ATTEND_PRECISION_FP32),
                             .cores = parallel_cores(),
                             .openmp_threads = parallel_default_threads(),
                             .l1d_bytes = cpu_cache_bytes(1),
                             .l2_bytes = cpu_cache_bytes(2),
                             .l3_bytes = cpu_cache_bytes(3),
                             .blas_threading = blas_threading(),
                             .blas_threads = blas_threads()};
  cpu_brand(machine->processor, sizeof machine->processor);
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    machine->isa_built[isa] = kernels_get((AttendIsa)isa) != NULL;
    machine->isa_usable[isa] = cpu_usable((AttendIsa)isa);
  }
  snprintf(machine->blas_config, sizeof machine->blas_config, "%s", blas_config());
  snprintf(machine->blas_core, sizeof machine->blas_core, "%s", blas_core());
  copy_version(blas_config(), machine->blas_version, sizeof machine->blas_version);
  return ATTEND_OK;
}
