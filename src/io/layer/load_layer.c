/* load_layer.c - loads an attention layer of a published model into packed weights.
 *
 * layer_tensors.c finds and checks every tensor before we read the first one. Biases, norms and
 * sinks are read as floats here; layer_matrices.c reads and packs the matrices. The caller gets the
 * whole layer or nothing.
 */
#include <stdlib.h>

#include "context.h"
#include "io/config/config.h"
#include "io/layer/layer_matrices.h"
#include "io/safetensors/tensor_parts.h"

/* The numbers of a layer's tensors by role, without the matrices. Null where there is none. */
typedef struct LayerData {
  float *roles[LAYER_ROLES];
} LayerData;

static void free_data(LayerData *data) {
  for (size_t i = 0; i < LAYER_ROLES; i++) free(data->roles[i]);
}

static AttendStatus read_data(const AttendTensorFile *file, const LayerTensors *tensors,
                              LayerData *data, Fault *fault) {
  for (size_t i = 0; i < LAYER_ROLES; i++) {
    if (tensors->roles[i] == NULL || tensors->roles[i]->rank > 1) continue;
    data->roles[i] = malloc(tensors->counts[i] * sizeof(float));
    if (data->roles[i] == NULL) {
      return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                       "%zu numbers of tensor \"%s\" could not be allocated", tensors->counts[i],
                       tensors->roles[i]->name);
    }
    if (tensors_read_part(file, tensors->roles[i]->name, 0, tensors->counts[i], data->roles[i],
                          fault)) {
      return fault->status;
    }
  }
  return ATTEND_OK;
}

/* Everything that goes into the packed weights, except the matrices. */
static AttendWeightSource source_of(const AttendModel *model, const LayerTensors *tensors,
                                    const LayerData *data, AttendStorage storage) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  attend_model_source(model, &source);
  source.orientation = tensors->orientation;
  source.storage = storage;
  source.query_bias = data->roles[LAYER_QUERY_BIAS];
  source.key_bias = data->roles[LAYER_KEY_BIAS];
  source.value_bias = data->roles[LAYER_VALUE_BIAS];
  source.qkv_bias = data->roles[LAYER_QKV_BIAS];
  source.output_bias = data->roles[LAYER_OUTPUT_BIAS];
  source.query_norm = data->roles[LAYER_QUERY_NORM];
  source.key_norm = data->roles[LAYER_KEY_NORM];
  return source;
}

static AttendStatus pack(AttendContext *context, const AttendTensorFile *file,
                         const AttendModel *model, const LayerTensors *tensors,
                         const AttendWeightSource *source, AttendWeights **weights, Fault *fault) {
  fault_clear(&context->fault);
  AttendStatus status = weights_begin(context, &model->shape, source, weights);
  if (status != ATTEND_OK) {
    return fault_set(fault, status, "the layer cannot be packed: %s", attend_get_error(context));
  }
  status = layer_read_matrices(context, file, tensors, *weights, fault);
  if (status != ATTEND_OK) attend_free_weights(weights);
  return status;
}

static AttendStatus load_from(AttendContext *context, const AttendTensorFile *file,
                              const AttendModel *model, size_t index, AttendStorage storage,
                              AttendLayer *layer, Fault *fault) {
  if (context == NULL || layer == NULL) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     context == NULL ? "the context" : "the layer to fill");
  }
  LayerTensors tensors;
  LayerData data = {{NULL}};
  AttendWeights *weights = NULL;
  if (layer_find_tensors(file, model, index, &tensors, fault)) return fault->status;
  AttendStatus status = read_data(file, &tensors, &data, fault);
  if (status == ATTEND_OK) {
    const AttendWeightSource source = source_of(model, &tensors, &data, storage);
    status = pack(context, file, model, &tensors, &source, &weights, fault);
  }
  if (status == ATTEND_OK) {
    *layer = (AttendLayer){*model, index, weights, data.roles[LAYER_SINKS]};
    data.roles[LAYER_SINKS] = NULL;
  }
  free_data(&data);
  return status;
}

AttendStatus attend_load_layer_from(AttendContext *context, const AttendTensorFile *file,
                                    const AttendModel *model, size_t index, AttendStorage storage,
                                    AttendLayer *layer, char *error, size_t error_size) {
  Fault fault = {.place = file != NULL ? file->path : "the tensors"};
  load_from(context, file, model, index, storage, layer, &fault);
  return fault_tell(&fault, error, error_size);
}

AttendStatus attend_load_layer(AttendContext *context, const char *path, size_t index,
                               AttendStorage storage, AttendLayer *layer, char *error,
                               size_t error_size) {
  Fault fault = {.place = path != NULL ? path : "the tensors"};
  AttendTensorFile *file = NULL;
  AttendModel model;
  if (!tensors_open(path, &file, &fault) && !config_read_beside(path, &model, &fault)) {
    load_from(context, file, &model, index, storage, layer, &fault);
  }
  attend_close_tensors(&file);
  return fault_tell(&fault, error, error_size);
}

void attend_layer_options(const AttendLayer *layer, AttendOptions *options) {
  if (layer == NULL || options == NULL) return;
  attend_model_options(&layer->model, layer->index, options);
  options->sinks = layer->sinks;
}

void attend_free_layer(AttendLayer *layer) {
  if (layer == NULL) return;
  attend_free_weights(&layer->weights);
  free(layer->sinks);
  *layer = (AttendLayer){.weights = NULL};
}
