/* random_layer.c - makes a layer of random weights.
 *
 * Weights are uniform with variance 1 / in, which keeps activations at their size: scores and
 * weights look like those of a trained model, and no number grows out of range. They are laid out
 * and saved as Hugging Face stores them, [out, in].
 */
#include "cli/run/random_layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/random.h"

#define PARTS_MAX 11
#define PART_NAME_SIZE 64
#define INPUT_STREAM 1000

/* The tensors of a layer, and where the source of packed weights keeps each. */
typedef struct RandomParts {
  size_t count;
  uint64_t seed;
  size_t layer;
  AttendTensor tensors[PARTS_MAX];
  char names[PARTS_MAX][PART_NAME_SIZE];
  float *data[PARTS_MAX];
} RandomParts;

static void free_parts(RandomParts *parts) {
  for (size_t i = 0; i < parts->count; i++) free(parts->data[i]);
}

/* Adds a tensor [rows, columns], or [rows] if columns is 0, uniform in middle +- spread, and has
 * *place point to it. False if memory is short or it is too large to be counted. */
static bool add(RandomParts *parts, const char *suffix, size_t rows, size_t columns, float middle,
                float spread, const float **place) {
  const size_t i = parts->count, dims[2] = {rows, columns};
  size_t count, bytes;
  if (__builtin_mul_overflow(rows, columns > 0 ? columns : 1, &count) ||
      __builtin_mul_overflow(count, sizeof(float), &bytes)) {
    return false;
  }
  float *const data = malloc(bytes);
  if (data == NULL) return false;
  random_fill(parts->seed, parts->layer * PARTS_MAX + i, spread, data, count);
  for (size_t j = 0; middle != 0 && j < count; j++) data[j] += middle;
  snprintf(parts->names[i], PART_NAME_SIZE, "model.layers.%zu.self_attn.%s", parts->layer, suffix);
  parts->tensors[i] = attend_float_tensor(parts->names[i], data, dims, columns > 0 ? 2 : 1);
  parts->data[i] = data;
  parts->count++;
  *place = data;
  return true;
}

static bool add_all(RandomParts *parts, const AttendModel *model, AttendWeightSource *source,
                    const float **sinks) {
  const AttendLayerShape *const shape = &model->shape;
  const size_t E = shape->width, D = shape->head_dim;
  const size_t query = shape->query_heads * D, key = shape->kv_heads * D;
  const size_t value = shape->kv_heads * shape->value_dim;
  const size_t context = shape->query_heads * shape->value_dim;
  const float in = sqrtf(3.0f / (float)E), out = sqrtf(3.0f / (float)context), small = 0.1f;
  return add(parts, "q_proj.weight", query, E, 0, in, &source->query) &&
         add(parts, "k_proj.weight", key, E, 0, in, &source->key) &&
         add(parts, "v_proj.weight", value, E, 0, in, &source->value) &&
         add(parts, "o_proj.weight", E, context, 0, out, &source->output) &&
         (!model->qkv_bias ||
          (add(parts, "q_proj.bias", query, 0, 0, small, &source->query_bias) &&
           add(parts, "k_proj.bias", key, 0, 0, small, &source->key_bias) &&
           add(parts, "v_proj.bias", value, 0, 0, small, &source->value_bias))) &&
         (!model->output_bias || add(parts, "o_proj.bias", E, 0, 0, small, &source->output_bias)) &&
         (!model->qk_norm || (add(parts, "q_norm.weight", D, 0, 1, small, &source->query_norm) &&
                              add(parts, "k_norm.weight", D, 0, 1, small, &source->key_norm))) &&
         (!model->sinks || add(parts, "sinks", shape->query_heads, 0, 0, 1, sinks));
}

static AttendStatus pack(AttendContext *context, const AttendModel *model, RandomParts *parts,
                         const AttendWeightSource *source, const float *sinks, AttendLayer *layer,
                         char *error) {
  AttendWeights *weights = NULL;
  const AttendStatus status = attend_pack_weights(context, &model->shape, source, &weights);
  if (status != ATTEND_OK) {
    snprintf(error, ATTEND_FILE_ERROR_SIZE, "%s", attend_get_error(context));
    return status;
  }
  *layer = (AttendLayer){.model = *model, .index = parts->layer, .weights = weights};
  for (size_t i = 0; i < parts->count; i++) {
    if (parts->data[i] != sinks) continue;
    layer->sinks = parts->data[i];
    parts->data[i] = NULL;
  }
  return ATTEND_OK;
}

AttendStatus random_layer(AttendContext *context, const AttendModel *model, size_t index,
                          uint64_t seed, AttendStorage storage, const char *save,
                          AttendLayer *layer, char *error) {
  RandomParts parts = {.seed = seed, .layer = index};
  AttendWeightSource source;
  const float *sinks = NULL;
  AttendStatus status = ATTEND_OK;
  attend_default_weight_source(&source);
  attend_model_source(model, &source);
  source.orientation = ATTEND_OUT_IN;
  source.storage = storage;
  if (!add_all(&parts, model, &source, &sinks)) {
    snprintf(error, ATTEND_FILE_ERROR_SIZE, "memory for the weights of %s is missing", model->name);
    status = ATTEND_STATUS_OUT_OF_MEMORY;
  }
  if (status == ATTEND_OK && save != NULL) {
    const AttendMetadata format = {"format", "pt"};
    status = attend_write_safetensors(save, parts.tensors, parts.count, &format, 1, error,
                                      ATTEND_FILE_ERROR_SIZE);
  }
  if (status == ATTEND_OK) status = pack(context, model, &parts, &source, sinks, layer, error);
  free_parts(&parts);
  return status;
}

float *random_activations(uint64_t seed, size_t count) {
  size_t bytes;
  float *const data =
      __builtin_mul_overflow(count, sizeof *data, &bytes) ? NULL : malloc(bytes > 0 ? bytes : 1);
  if (data != NULL)
    random_fill(seed, INPUT_STREAM + ATTEND_MODEL_LAYERS * PARTS_MAX, 1, data, count);
  return data;
}
