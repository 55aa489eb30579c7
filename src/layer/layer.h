/* layer.h - projections around the core. */
#ifndef ATTEND_SRC_LAYER_LAYER_H
#define ATTEND_SRC_LAYER_LAYER_H

#include "layer/layer_plan.h"

/* Computes y and appends to the cache. Cannot fail: the call is checked, the path chosen for it,
 * and `workspace` is aligned and has choice->workspace_bytes. */
void layer_run(AttendContext *context, const LayerCall *call, const LayerChoice *choice,
               void *workspace);

#endif
