/* rotate.h - the step of a layer between its first product and the core. */
#ifndef ATTEND_SRC_LAYER_ROTATE_H
#define ATTEND_SRC_LAYER_ROTATE_H

#include "context.h"
#include "layer/layer_call.h"

/* Norms and rotates the heads of Q and K in qkv [rows, Hq*D + Hk*D + Hk*Dv], as the call's weights
 * say; V stays as it is. scratch: [threads, D rounded up to 64 bytes]. */
void rotate_heads(AttendContext *context, const LayerCall *call, float *qkv, float *scratch);

#endif
