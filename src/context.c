/* context.c - opens and closes contexts and owns their scratch memory.
 *
 * A context's settings are fixed once it is open. Its workspace grows when a call needs more than
 * it has, unless the caller supplied it; it never shrinks.
 */
#include "context.h"

#include <stdlib.h>
#include <string.h>

#include "platform/cpu.h"
#include "platform/memory.h"
#include "platform/parallel.h"
#include "size.h"

#define MAX_THREADS 1024

void attend_default_settings(AttendSettings *settings) {
  if (!settings) return;
  *settings = (AttendSettings){.struct_size = sizeof *settings,
                               .isa = ATTEND_ISA_AUTO,
                               .path = ATTEND_PATH_AUTO,
                               .precision = ATTEND_PRECISION_FP32,
                               .naive_parallel = true,
                               .score_memory_limit_bytes = (size_t)2 << 30};
}

/* Checks the settings and puts numbers in place of "as many as possible" and "the best". */
static AttendStatus resolve_settings(AttendSettings *settings) {
  if (settings->threads > MAX_THREADS) return ATTEND_STATUS_BAD_OPTION;
  if (!attend_path_name(settings->path)) return ATTEND_STATUS_BAD_OPTION;
  if (!attend_isa_name(settings->isa)) return ATTEND_STATUS_BAD_OPTION;
  if (!attend_precision_name(settings->precision)) return ATTEND_STATUS_BAD_OPTION;
  if (settings->threads == 0) settings->threads = size_min(parallel_default_threads(), MAX_THREADS);
  if (settings->isa == ATTEND_ISA_AUTO) settings->isa = cpu_best(settings->precision);
  const bool runs = cpu_usable(settings->isa) && cpu_enable(settings->isa);
  return runs ? ATTEND_OK : ATTEND_STATUS_ISA_UNAVAILABLE;
}

AttendStatus attend_open(AttendContext **context, const AttendSettings *settings) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  *context = NULL;
  AttendSettings resolved;
  attend_default_settings(&resolved);
  if (settings && settings->struct_size != sizeof *settings) return ATTEND_STATUS_BAD_OPTION;
  if (settings) resolved = *settings;
  const AttendStatus status = resolve_settings(&resolved);
  if (status) return status;

  AttendContext *const opened = calloc(1, sizeof *opened);
  if (!opened) return ATTEND_STATUS_OUT_OF_MEMORY;
  opened->settings = resolved;
  opened->kernels = kernels_get(resolved.isa);
  if (profile_open(&opened->profiler, resolved.profile, resolved.threads)) {
    free(opened);
    return ATTEND_STATUS_OUT_OF_MEMORY;
  }
  *context = opened;
  return ATTEND_OK;
}

void attend_close(AttendContext **context) {
  if (!context || !*context) return;
  free((*context)->own.memory);
  profile_close(&(*context)->profiler);
  free(*context);
  *context = NULL;
}

const char *attend_get_error(const AttendContext *context) {
  return context ? context->fault.text : attend_status_message(ATTEND_STATUS_NULL_POINTER);
}

AttendStatus attend_set_workspace(AttendContext *context, void *memory, size_t bytes) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  fault_clear(&context->fault);
  if (!memory && bytes > 0) {
    return fault_set(&context->fault, ATTEND_STATUS_NULL_POINTER,
                     "memory is null; it must hold the %zu bytes announced", bytes);
  }
  context->supplied.memory = memory;
  context->supplied.bytes = bytes;
  return ATTEND_OK;
}

static AttendStatus grow_workspace(AttendContext *context, size_t bytes, Fault *fault) {
  if (context->supplied.memory) {
    if (bytes <= context->supplied.bytes) return ATTEND_OK;
    return fault_set(fault, ATTEND_STATUS_WORKSPACE_TOO_SMALL,
                     "the workspace supplied has %zu bytes; this call needs %zu",
                     context->supplied.bytes, bytes);
  }
  if (bytes <= context->own.bytes) return ATTEND_OK;
  void *const memory = memory_allocate(bytes);
  if (!memory) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes of workspace could not be allocated", bytes);
  }
  free(context->own.memory);
  context->own.memory = memory;
  context->own.bytes = bytes;
  return ATTEND_OK;
}

AttendStatus attend_reserve_workspace(AttendContext *context, size_t bytes) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  fault_clear(&context->fault);
  return grow_workspace(context, bytes, &context->fault);
}

AttendStatus context_workspace(AttendContext *context, size_t bytes, void **memory, Fault *fault) {
  if (grow_workspace(context, bytes, fault)) return fault->status;
  void *const block = context->supplied.memory ? context->supplied.memory : context->own.memory;
  const uintptr_t address = (uintptr_t)block;
  const uintptr_t aligned = (address + SIZE_ALIGNMENT - 1) / SIZE_ALIGNMENT * SIZE_ALIGNMENT;
  *memory = (char *)block + (aligned - address);
  return ATTEND_OK;
}

AttendStatus attend_get_profile(const AttendContext *context, AttendProfile *profile) {
  if (!context || !profile) return ATTEND_STATUS_NULL_POINTER;
  *profile = context->profiler.totals;
  return ATTEND_OK;
}

void attend_reset_profile(AttendContext *context) {
  if (context) memset(&context->profiler.totals, 0, sizeof context->profiler.totals);
}

AttendStatus attend_set_tap(AttendContext *context, AttendTap tap, void *user) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  fault_clear(&context->fault);
  context->tap = tap;
  context->tap_user = user;
  return ATTEND_OK;
}

AttendStatus attend_set_tap_rows(AttendContext *context, size_t first, size_t count) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  fault_clear(&context->fault);
  context->tap_first = first;
  context->tap_count = count;
  return ATTEND_OK;
}
