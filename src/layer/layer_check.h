/* layer_check.h - the way to a layer call: through its checks. */
#ifndef ATTEND_SRC_LAYER_LAYER_CHECK_H
#define ATTEND_SRC_LAYER_LAYER_CHECK_H

#include "layer/layer_call.h"

/* What a caller asks of a layer. */
typedef struct LayerRequest {
  AttendLayerShape shape;
  size_t batch, tokens;         /* tokens of a sequence; of all of a ragged batch */
  const AttendOptions *options; /* null for the defaults */
  bool has_cache;
  AttendCache *cache; /* null in a plan by numbers, which takes `past` tokens to be in it */
  size_t past;
  const AttendWeights *weights; /* of that shape; null in a plan, where x and y are not looked at */
  const float *x;
  float *y;
} LayerRequest;

/* Checks all that a request says, and sets everything in *call. Changes nothing else. */
AttendStatus layer_check(const LayerRequest *request, LayerCall *call, Fault *fault);

#endif
