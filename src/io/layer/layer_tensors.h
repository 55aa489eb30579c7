/* layer_tensors.h - finds the tensors of an attention layer in a file. */
#ifndef ATTEND_SRC_IO_LAYER_LAYER_TENSORS_H
#define ATTEND_SRC_IO_LAYER_LAYER_TENSORS_H

#include "attend/io.h"
#include "fault.h"

/* What a tensor is to the layer. */
typedef enum LayerRole {
  LAYER_QUERY,
  LAYER_KEY,
  LAYER_VALUE,
  LAYER_QKV,
  LAYER_OUTPUT,
  LAYER_QUERY_BIAS,
  LAYER_KEY_BIAS,
  LAYER_VALUE_BIAS,
  LAYER_QKV_BIAS,
  LAYER_OUTPUT_BIAS,
  LAYER_QUERY_NORM,
  LAYER_KEY_NORM,
  LAYER_SINKS,
} LayerRole;
#define LAYER_ROLES 13

/* The tensors of one layer, found and checked. A role that the layer does not have is null. */
typedef struct LayerTensors {
  AttendOrientation orientation;
  const AttendTensor *roles[LAYER_ROLES];
  size_t counts[LAYER_ROLES]; /* numbers of each, 0 where there is none */
} LayerTensors;

/* Finds and checks them, as attend_check_layer() does. */
AttendStatus layer_find_tensors(const AttendTensorFile *file, const AttendModel *model,
                                size_t layer, LayerTensors *tensors, Fault *fault);

#endif
