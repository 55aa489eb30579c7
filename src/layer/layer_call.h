/* layer_call.h - one layer call, or the plan of one, that has passed its checks. */
#ifndef ATTEND_SRC_LAYER_LAYER_CALL_H
#define ATTEND_SRC_LAYER_LAYER_CALL_H

#include "cache/kvcache.h"
#include "layer/weights.h"
#include "problem/problem.h"
#include "problem/shape.h"

/* layer_check() makes it whole; nobody changes it afterwards. */
typedef struct LayerCall {
  AttendLayerShape shape;
  const AttendWeights *weights; /* null in a plan, and so are x, y and, by numbers, the cache */
  AttendCache *cache;
  const float *x; /* [rows, E] */
  float *y;       /* [rows, E] */
  size_t rows;    /* tokens of all sequences */
  LayerColumns columns;
  Problem problem; /* of the core, as it is before the cache has the call's tokens; without views */
} LayerCall;

/* Rows of x before sequence b. */
static inline size_t layer_first_row(const LayerCall *call, size_t b) {
  const size_t *const offsets = call->problem.options.query_offsets;
  return offsets ? offsets[b] : b * call->problem.shape.query_tokens;
}

/* The batch as the cache is told of it. */
static inline CacheAppend layer_append(const LayerCall *call) {
  return (CacheAppend){.sequences = call->problem.options.cache_sequences,
                       .count = call->problem.shape.batch,
                       .offsets = call->problem.options.query_offsets,
                       .tokens = call->problem.shape.query_tokens};
}

#endif
