/* load_layer.c - an attention layer of a published model from its files to packed weights.
 *
 * layer_tensors.c has found and checked every tensor before the first one is read. Biases, norms
 * and sinks are widened into memory of the call's own; layer_matrices.c reads and packs the
 * matrices. The caller gets the whole layer or nothing.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "context.h"
#include "io/layer/layer_matrices.h"
#include "io/safetensors/tensor_parts.h"

/* The path of config.json in or beside `path`; null if memory is short. */
static char *config_path(const char *path) {
  struct stat facts;
  const char *const slash = strrchr(path, '/');
  if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) return file_text("%s/config.json", path);
  return file_text("%.*sconfig.json", slash == NULL ? 0 : (int)(slash - path) + 1, path);
}

AttendStatus attend_read_config_beside(const char *path, AttendModel *model, char *error,
                                       size_t error_size) {
  if (path == NULL) return attend_read_config(NULL, model, error, error_size);
  char *const config = config_path(path);
  if (config == NULL) {
    const FileReport report = file_report(path, "", error, error_size);
    return file_refuse(&report, ATTEND_STATUS_OUT_OF_MEMORY,
                       "the path of its config.json could not be allocated");
  }
  const AttendStatus status = attend_read_config(config, model, error, error_size);
  free(config);
  return status;
}

/* The numbers of a layer's tensors but the matrices, by role; null where there is none. */
typedef struct LayerData {
  float *roles[LAYER_ROLES];
} LayerData;

static void free_data(LayerData *data) {
  for (size_t i = 0; i < LAYER_ROLES; i++) free(data->roles[i]);
}

static AttendStatus read_data(const AttendTensorFile *file, const LayerTensors *tensors,
                              LayerData *data, char *error, size_t error_size) {
  for (size_t i = 0; i < LAYER_ROLES; i++) {
    if (tensors->roles[i] == NULL || tensors->roles[i]->rank > 1) continue;
    data->roles[i] = malloc(tensors->counts[i] * sizeof(float));
    if (data->roles[i] == NULL) {
      const FileReport report = file_report(file->path, "", error, error_size);
      return file_refuse(&report, ATTEND_STATUS_OUT_OF_MEMORY,
                         "%zu numbers of tensor \"%s\" could not be allocated", tensors->counts[i],
                         tensors->roles[i]->name);
    }
    const AttendStatus status = attend_read_tensor(file, tensors->roles[i]->name, data->roles[i],
                                                   tensors->counts[i], error, error_size);
    if (status != ATTEND_OK) return status;
  }
  return ATTEND_OK;
}

/* Everything that is packed, except the matrices. */
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
                         const AttendWeightSource *source, AttendWeights **weights, char *error,
                         size_t error_size) {
  fault_clear(&context->fault);
  AttendStatus status = weights_begin(context, &model->shape, source, weights);
  if (status != ATTEND_OK) {
    const FileReport report = file_report(file->path, "", error, error_size);
    return file_refuse(&report, status, "the layer cannot be packed: %s",
                       attend_get_error(context));
  }
  status = layer_read_matrices(context, file, tensors, *weights, error, error_size);
  if (status != ATTEND_OK) attend_free_weights(weights);
  return status;
}

AttendStatus attend_load_layer_from(AttendContext *context, const AttendTensorFile *file,
                                    const AttendModel *model, size_t index, AttendStorage storage,
                                    AttendLayer *layer, char *error, size_t error_size) {
  const FileReport report =
      file_report(file == NULL ? NULL : file->path, "the tensors", error, error_size);
  if (context == NULL || layer == NULL) {
    return file_refuse(&report, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                       context == NULL ? "the context" : "the layer to fill");
  }
  LayerTensors tensors;
  LayerData data = {{NULL}};
  AttendWeights *weights = NULL;
  AttendStatus status = layer_find_tensors(file, model, index, &tensors, error, error_size);
  if (status != ATTEND_OK) return status;

  status = read_data(file, &tensors, &data, error, error_size);
  if (status == ATTEND_OK) {
    const AttendWeightSource source = source_of(model, &tensors, &data, storage);
    status = pack(context, file, model, &tensors, &source, &weights, error, error_size);
  }
  if (status == ATTEND_OK) {
    *layer = (AttendLayer){*model, index, weights, data.roles[LAYER_SINKS]};
    data.roles[LAYER_SINKS] = NULL;
  }
  free_data(&data);
  return status;
}

AttendStatus attend_load_layer(AttendContext *context, const char *path, size_t index,
                               AttendStorage storage, AttendLayer *layer, char *error,
                               size_t error_size) {
  AttendTensorFile *file = NULL;
  AttendModel model;
  AttendStatus status = attend_open_tensors(path, &file, error, error_size);
  if (status == ATTEND_OK) status = attend_read_config_beside(path, &model, error, error_size);
  if (status == ATTEND_OK) {
    status =
        attend_load_layer_from(context, file, &model, index, storage, layer, error, error_size);
  }
  attend_close_tensors(&file);
  return status;
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
