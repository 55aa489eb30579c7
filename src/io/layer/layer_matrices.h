/* layer_matrices.h - fills packed weights from a layer's tensors. */
#ifndef ATTEND_SRC_IO_LAYER_LAYER_MATRICES_H
#define ATTEND_SRC_IO_LAYER_LAYER_MATRICES_H

#include "io/layer/layer_tensors.h"
#include "layer/weights.h"

/* Reads and packs W_qkv and W_o. Beside the weights this needs a buffer of 2 MiB, or of 32 rows of
 * a tensor if these are longer. On failure the contents of the matrices are not defined. */
AttendStatus layer_read_matrices(AttendContext *context, const AttendTensorFile *file,
                                 const LayerTensors *tensors, const AttendWeights *weights,
                                 Fault *fault);

#endif
