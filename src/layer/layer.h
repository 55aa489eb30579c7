/* layer.h - projections around the core: first the checks, then the call, which cannot fail. */
#ifndef ATTEND_SRC_LAYER_H
#define ATTEND_SRC_LAYER_H

#include "cache/kvcache.h"
#include "layer/weights.h"
#include "plan/plan.h"
#include "problem/shape.h"

/* One layer call. The caller sets the first group; layer_set_problem() and layer_plan() the second.
 */
typedef struct LayerCall {
  size_t batch, tokens; /* tokens of a sequence; of all of a ragged batch */
  bool has_cache;
  AttendCache *cache; /* null in a plan by numbers */
  size_t past;        /* looked at where there is a cache by numbers */
  const float *x;
  float *y;

  LayerColumns columns;
  size_t rows;     /* tokens of all sequences */
  Problem problem; /* its views are set by layer_run() */
  /* Byte offsets in the workspace. The core and the projections share the scratch in turn. */
  size_t qkv_at, context_at, rotate_at, scratch_at;
} LayerCall;

/* Checks sizes and options, the cache against the shape, and makes the core's problem. */
AttendStatus layer_set_problem(const AttendLayerShape *shape, const AttendOptions *options,
                               LayerCall *call, Fault *fault);

/* Checks x and y, that the positions are RoPE's, and room in the cache. Changes nothing. */
AttendStatus layer_check_buffers(const AttendWeights *weights, const LayerCall *call, Fault *fault);

/* Chooses the path and lays out the workspace; its bytes are without alignment. */
AttendStatus layer_choose(const AttendContext *context, const AttendLayerShape *shape,
                          LayerCall *call, PlanChoice *choice, size_t *bytes, Fault *fault);

/* The same in words: a plan of a layer call. */
AttendStatus layer_explain(const AttendContext *context, const AttendLayerShape *shape,
                           LayerCall *call, AttendPlan *plan, Fault *fault);

/* The batch as the cache is told of it. */
CacheAppend layer_append(const LayerCall *call);

/* Tokens of x before sequence b. */
size_t layer_first_row(const LayerCall *call, size_t b);

void layer_run(AttendContext *context, const AttendWeights *weights, const PlanChoice *choice,
               LayerCall *call, void *workspace);

#endif
