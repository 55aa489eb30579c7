/* context.h - what a context holds, for the library's own files. */
#ifndef ATTEND_SRC_CONTEXT_H
#define ATTEND_SRC_CONTEXT_H

#include "attend/attend.h"
#include "fault.h"
#include "kernels/kernels.h"
#include "profile.h"
#include "size.h"

struct AttendContext {
  AttendSettings settings; /* threads and isa resolved, never 0 or AUTO */
  const Kernels *kernels;
  Profiler profiler;
  Fault fault; /* of the last call */
  AttendTap tap;
  void *tap_user;
  size_t tap_first, tap_count; /* query tokens that the tap's scores are restricted to, if any */
  struct {
    void *memory;
    size_t bytes;
  } own, supplied; /* workspaces; the caller's goes first if there is one */
};

/* Query tokens first up to first + count of a sequence: the rows of score matrices that a tap
 * gets. */
typedef struct TapRows {
  size_t first, count;
} TapRows;

/* The rows of a sequence's score matrices that the tap asks for: all, unless it was restricted. */
static inline TapRows context_tap_rows(const AttendContext *context, size_t query_tokens) {
  if (context->tap_count == 0) return (TapRows){0, query_tokens};
  const size_t first = size_min(context->tap_first, query_tokens);
  return (TapRows){first, size_min(context->tap_count, query_tokens - first)};
}

/* Aligned memory out of a workspace of `bytes`, which include SIZE_ALIGNMENT for the alignment.
 * Valid until the next call that needs more. */
AttendStatus context_workspace(AttendContext *context, size_t bytes, void **memory, Fault *fault);

#endif
