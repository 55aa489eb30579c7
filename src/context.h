/* context.h - what a context holds, for the library's own files. */
#ifndef ATTEND_SRC_CONTEXT_H
#define ATTEND_SRC_CONTEXT_H

#include "attend/attend.h"
#include "fault.h"
#include "kernels/kernels.h"
#include "profile.h"

struct AttendContext {
  AttendSettings settings; /* threads and isa resolved, never 0 or AUTO */
  const Kernels *kernels;
  Profiler profiler;
  Fault fault; /* of the last call */
  AttendTap tap;
  void *tap_user;
  struct {
    void *memory;
    size_t bytes;
  } own, supplied; /* workspaces; the caller's goes first if there is one */
};

/* Aligned memory out of a workspace of `bytes`, which include SIZE_ALIGNMENT for the alignment. Valid
 * until the next call that needs more. */
AttendStatus context_workspace(AttendContext *context, size_t bytes, void **memory, Fault *fault);

#endif
