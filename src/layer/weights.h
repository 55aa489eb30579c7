/* weights.h - packed weights, for the library's own files. */
#ifndef ATTEND_SRC_LAYER_WEIGHTS_H
#define ATTEND_SRC_LAYER_WEIGHTS_H

#include "layer/linear.h"
#include "layer/rope.h"
#include "problem/shape.h"

struct AttendWeights {
  AttendLayerShape shape;
  LayerColumns columns;
  size_t bytes;
  Linear qkv;                         /* [E, Hq*D + Hk*D + Hk*Dv] */
  Linear output;                      /* [Hq*Dv, E] */
  const float *query_norm, *key_norm; /* [D], or both null */
  double norm_epsilon;
  Rope rope; /* its frequencies or tables lie in this block too */
};

/* Checks everything in a source but its matrices, which it does not read, and takes the memory. The
 * caller then fills weights->qkv and weights->output by linear_fill(). On failure *weights is
 * untouched. */
AttendStatus weights_begin(AttendContext *context, const AttendLayerShape *shape,
                           const AttendWeightSource *source, AttendWeights **weights);

#endif
