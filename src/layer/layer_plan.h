/* layer_plan.h - how a layer call will run: the core's path, and where everything lies. */
#ifndef ATTEND_SRC_LAYER_LAYER_PLAN_H
#define ATTEND_SRC_LAYER_LAYER_PLAN_H

#include "layer/layer_call.h"
#include "plan/plan.h"

/* Byte offsets in the workspace. The core and the projections use the scratch in turn. */
typedef struct LayerLayout {
  size_t qkv, context, rotate, scratch;
} LayerLayout;

typedef struct LayerChoice {
  PlanChoice core;
  LayerLayout layout;
  size_t workspace_bytes; /* without alignment */
} LayerChoice;

/* Sets everything in *choice. */
AttendStatus layer_choose(const AttendContext *context, const LayerCall *call, LayerChoice *choice,
                          Fault *fault);

/* The plan that tells of the same choice; its workspace_bytes are without alignment. */
AttendStatus layer_explain(const AttendContext *context, const LayerCall *call, AttendPlan *plan,
                           Fault *fault);

#endif
