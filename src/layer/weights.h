/* weights.h - packed weights, for the library's own files. */
#ifndef ATTEND_SRC_WEIGHTS_H
#define ATTEND_SRC_WEIGHTS_H

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

/* Weights that are whole but for their matrices, and where these go. */
typedef struct UnfilledWeights {
  AttendWeights *weights;
  void *qkv, *output;
} UnfilledWeights;

/* Checks all of a source but its matrices, at which it does not look, and takes the memory. The
 * matrices weights->qkv and weights->output are then to be linear_fill()ed. */
AttendStatus weights_begin(AttendContext *context, const AttendLayerShape *shape,
                           const AttendWeightSource *source, UnfilledWeights *unfilled);

#endif
