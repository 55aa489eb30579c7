/* layer.h - projections around the core, once everything has been checked. */
#ifndef ATTEND_SRC_LAYER_H
#define ATTEND_SRC_LAYER_H

#include "kvcache.h"
#include "path.h"
#include "shape.h"
#include "weights.h"

/* One layer call. The caller sets the first group; layer_check_buffers() and layer_plan() the
 * second. */
typedef struct LayerCall {
  size_t batch, tokens;
  size_t past; /* set from the cache where there is one */
  bool has_cache;
  AttendCache *cache;
  const float *x;
  float *y;

  LayerColumns columns;
  Problem problem;                    /* its views are set by layer_run() */
  size_t qkv_at, context_at, core_at; /* byte offsets in the workspace */
} LayerCall;

/* Checks the cache against the shape, room in it, and x and y. */
AttendStatus layer_check_buffers(const AttendLayerShape *shape, LayerCall *call, Fault *fault);

/* Checks sizes and options, chooses the path, and lays out the workspace (without alignment). */
AttendStatus layer_plan(const AttendContext *context, const AttendLayerShape *shape,
                        const AttendOptions *options, LayerCall *call, AttendPlan *plan,
                        Fault *fault);

void layer_run(AttendContext *context, const AttendWeights *weights, const Path *path,
               LayerCall *call, void *workspace);

/* Runs the core alone and counts its FLOPs and bytes. */
void layer_run_core(AttendContext *context, const Path *path, const Problem *problem,
                    void *workspace);

#endif
