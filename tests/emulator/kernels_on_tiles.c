/* kernels_on_tiles.c - gives the library of a program kernels whose `gemm_bf16` runs on emulated
 * tiles, and looks after its calls for tiles that have not been released.
 *
 * A program linked with this file tells its linker to wrap what is wrapped here (meson.build), and
 * runs on any machine what the library does around AMX: blocks of 32 rows, whole panels, visits in
 * a pipeline, every step of its paths that multiplies pairs, and `release` on every thread. Wrong
 * use of the tiles ends the program, as in emulated_tiles.h; so does not using them at all. Calls
 * come from one thread at a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/emulator/emulated_kernels.h"
#include "tests/emulator/emulated_tiles.h"

/* The linker's names, of the types of what they stand for. */
__typeof__(kernels_get) __real_attend_private_kernels_get, __wrap_attend_private_kernels_get;
__typeof__(attend_core_forward) __real_attend_core_forward, __wrap_attend_core_forward;
__typeof__(attend_cached_forward) __real_attend_cached_forward, __wrap_attend_cached_forward;
__typeof__(attend_layer_forward) __real_attend_layer_forward, __wrap_attend_layer_forward;

/* Written before main() and read from then on. */
static Kernels tables[ATTEND_ISA_COUNT];

__attribute__((constructor)) static void make_tables(void) {
  for (int isa = 0; isa < ATTEND_ISA_COUNT; isa++) {
    const Kernels *const kernels = __real_attend_private_kernels_get((AttendIsa)isa);
    if (kernels) tables[isa] = emulated_kernels(kernels);
  }
}

const Kernels *__wrap_attend_private_kernels_get(AttendIsa isa) {
  return __real_attend_private_kernels_get(isa) ? &tables[isa] : NULL;
}

/* Without this check all tests would also pass on other kernels. */
__attribute__((destructor)) static void require_dots(void) {
  if (emulated_dots() > 0) return;
  fputs("tiles: nothing was multiplied on them\n", stderr);
  abort();
}

static void require_released(const char *call) {
  const size_t threads = emulated_threads_configured();
  if (threads == 0) return;
  fprintf(stderr, "tiles: %zu threads still have some configured after %s()\n", threads, call);
  abort();
}

AttendStatus __wrap_attend_core_forward(AttendContext *context, const AttendShape *shape,
                                        AttendView query, AttendView key, AttendView value,
                                        const AttendOptions *options, AttendOutputView out,
                                        float *lse) {
  const AttendStatus status =
      __real_attend_core_forward(context, shape, query, key, value, options, out, lse);
  require_released("attend_core_forward");
  return status;
}

AttendStatus __wrap_attend_cached_forward(AttendContext *context, const AttendShape *shape,
                                          const AttendCache *cache, AttendView query,
                                          const AttendOptions *options, AttendOutputView out,
                                          float *lse) {
  const AttendStatus status =
      __real_attend_cached_forward(context, shape, cache, query, options, out, lse);
  require_released("attend_cached_forward");
  return status;
}

AttendStatus __wrap_attend_layer_forward(AttendContext *context, const AttendWeights *weights,
                                         AttendCache *cache, size_t batch, size_t tokens,
                                         const float *x, const AttendOptions *options, float *y) {
  const AttendStatus status =
      __real_attend_layer_forward(context, weights, cache, batch, tokens, x, options, y);
  require_released("attend_layer_forward");
  return status;
}
