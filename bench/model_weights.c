/* model_weights.c - owns a layer's weights; a matrix's numbers depend on the seed, its stream and
 * its size alone, so that every path and every number of threads sees the same.
 */
#include "bench/model_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/allocation.h"
#include "bench/random.h"

#define BIAS_SCALE 0.5f
/* Weights of a norm differ from their mean by up to so much of it. A normed head has elements of
 * the size of 1: a mean of 2 for queries gives scores a deviation of 2. */
#define NORM_SPREAD 0.25f
#define QUERY_NORM_MEAN 2.0f
#define KEY_NORM_MEAN 1.0f

/* Away from the streams of workload.c and scoring.c. */
enum {
  STREAM_QKV,
  STREAM_QKV_BIAS,
  STREAM_OUTPUT,
  STREAM_OUTPUT_BIAS,
  STREAM_QUERY_NORM,
  STREAM_KEY_NORM,
};

static size_t fused_columns(const AttendLayerShape *shape) {
  return (shape->query_heads + shape->kv_heads) * shape->head_dim +
         shape->kv_heads * shape->value_dim;
}

/* Uniform numbers of variance 1/inputs. */
static float weight_scale(size_t inputs) {
  return (float)sqrt(3.0 / (double)inputs);
}

static void amplify_queries(const AttendLayerShape *shape, float *qkv) {
  const size_t columns = fused_columns(shape), queries = shape->query_heads * shape->head_dim;
#pragma omp parallel for schedule(static)
  for (size_t row = 0; row < shape->width; row++)
    for (size_t c = 0; c < queries; c++) qkv[row * columns + c] *= QUERY_GAIN;
}

static bool allocate_weights(const AttendModel *model, ModelWeights *weights) {
  const AttendLayerShape *const shape = &model->shape;
  const double columns = (double)fused_columns(shape), width = (double)shape->width;
  weights->qkv = allocate_floats(width * columns);
  weights->output = allocate_floats((double)(shape->query_heads * shape->value_dim) * width);
  if (model->qkv_bias) weights->qkv_bias = allocate_floats(columns);
  if (model->output_bias) weights->output_bias = allocate_floats(width);
  if (model->qk_norm) {
    weights->query_norm = allocate_floats((double)shape->head_dim);
    weights->key_norm = allocate_floats((double)shape->head_dim);
  }
  return weights->qkv && weights->output && (!model->qkv_bias || weights->qkv_bias) &&
         (!model->output_bias || weights->output_bias) &&
         (!model->qk_norm || (weights->query_norm && weights->key_norm));
}

/* Numbers around the mean. */
static void fill_norm(uint64_t seed, uint64_t stream, float mean, float *norm, size_t count) {
  random_fill(seed, stream, mean * NORM_SPREAD, norm, count);
  for (size_t d = 0; d < count; d++) norm[d] += mean;
}

static void fill_weights(uint64_t seed, const AttendLayerShape *shape, ModelWeights *weights) {
  const size_t columns = fused_columns(shape), inner = shape->query_heads * shape->value_dim;
  random_fill(seed, STREAM_QKV, weight_scale(shape->width), weights->qkv, shape->width * columns);
  amplify_queries(shape, weights->qkv);
  random_fill(seed, STREAM_OUTPUT, weight_scale(inner), weights->output, inner * shape->width);
  if (weights->qkv_bias) random_fill(seed, STREAM_QKV_BIAS, BIAS_SCALE, weights->qkv_bias, columns);
  if (weights->output_bias)
    random_fill(seed, STREAM_OUTPUT_BIAS, BIAS_SCALE, weights->output_bias, shape->width);
  if (!weights->query_norm) return;
  fill_norm(seed, STREAM_QUERY_NORM, QUERY_NORM_MEAN, weights->query_norm, shape->head_dim);
  fill_norm(seed, STREAM_KEY_NORM, KEY_NORM_MEAN, weights->key_norm, shape->head_dim);
}

static bool pack(const AttendModel *model, AttendStorage storage, ModelWeights *weights,
                 char *reason) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  attend_model_source(model, &source);
  source.qkv = weights->qkv;
  source.qkv_bias = weights->qkv_bias;
  source.output = weights->output;
  source.output_bias = weights->output_bias;
  source.query_norm = weights->query_norm;
  source.key_norm = weights->key_norm;
  source.storage = storage;
  AttendContext *context = NULL;
  AttendStatus status = attend_open(&context, NULL);
  if (status == ATTEND_OK)
    status = attend_pack_weights(context, &model->shape, &source, &weights->packed[storage]);
  if (status != ATTEND_OK)
    snprintf(reason, BENCH_REASON_SIZE, "the weights could not be packed: %s",
             context ? attend_get_error(context) : attend_status_message(status));
  attend_close(&context);
  return status == ATTEND_OK;
}

static bool pack_storages(const BenchConfig *config, const AttendModel *model,
                          ModelWeights *weights, char *reason) {
  for (size_t p = 0; p < config->path_count; p++) {
    const AttendStorage storage = config_storage(config, p);
    if (!weights->packed[storage] && !pack(model, storage, weights, reason)) return false;
  }
  return true;
}

/* Bytes of a number in all of the storages together. */
static size_t packed_bytes(const BenchConfig *config) {
  bool counted[ATTEND_STORAGE_COUNT] = {false};
  size_t sum = 0;
  for (size_t p = 0; p < config->path_count; p++) {
    const AttendStorage storage = config_storage(config, p);
    if (!counted[storage]) sum += bench_storage_bytes(storage);
    counted[storage] = true;
  }
  return sum;
}

bool weights_open(const BenchConfig *config, const AttendModel *model, ModelWeights *weights,
                  char *reason) {
  *weights = (ModelWeights){0};
  if (config->part == BENCH_CORE) return true;
  const AttendLayerShape *const shape = &model->shape;
  const double floats =
      (double)shape->width * (double)(fused_columns(shape) + shape->query_heads * shape->value_dim);
  /* Once for the oracle, and packed. */
  const double bytes = floats * (double)(sizeof(float) + packed_bytes(config));
  if (allocation_fits(bytes) && allocate_weights(model, weights)) {
    fill_weights(config->seed, shape, weights);
    if (pack_storages(config, model, weights, reason)) return true;
  } else {
    snprintf(reason, BENCH_REASON_SIZE,
             "the weights and their packed copy need %.1f GiB of memory, more than is available",
             bytes / 0x1p30);
  }
  weights_close(weights);
  return false;
}

void weights_close(ModelWeights *weights) {
  for (size_t s = 0; s < ATTEND_STORAGE_COUNT; s++) attend_free_weights(&weights->packed[s]);
  free(weights->qkv);
  free(weights->output);
  free(weights->qkv_bias);
  free(weights->output_bias);
  free(weights->query_norm);
  free(weights->key_norm);
  *weights = (ModelWeights){0};
}
