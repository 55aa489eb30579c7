/* random_layer.h - a layer of random weights, of a model's real width. */
#ifndef ATTEND_SRC_CLI_RUN_RANDOM_LAYER_H
#define ATTEND_SRC_CLI_RUN_RANDOM_LAYER_H

#include "attend/io.h"

/* Fills *layer with random weights of layer `index` of the model, the same on every machine for the
 * same seed, and, unless save is null, writes them there as the model's own tensors are named.
 * Returns the library's status, with the sentence in error (ATTEND_FILE_ERROR_SIZE bytes). */
AttendStatus random_layer(AttendContext *context, const AttendModel *model, size_t index,
                          uint64_t seed, AttendStorage storage, const char *save,
                          AttendLayer *layer, char *error);

/* `count` random activations in [-1, 1), from a stream that no weight uses; null if memory is
 * short. */
float *random_activations(uint64_t seed, size_t count);

#endif
