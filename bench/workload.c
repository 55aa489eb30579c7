/* workload.c - owns the buffers that calls read and write.
 *
 * Streams of random numbers are numbered here and nowhere else; a buffer's contents depend on the
 * seed, its stream and its size, so that every path and every number of threads sees the same data.
 */
#include "bench/workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/allocation.h"
#include "bench/random.h"

#define QUERY_GAIN 6.0f
#define BIAS_SCALE 0.5f

enum {
  STREAM_QKV,
  STREAM_QKV_BIAS,
  STREAM_OUTPUT,
  STREAM_OUTPUT_BIAS,
  STREAM_X,
  STREAM_KEY,
  STREAM_VALUE
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
  return weights->qkv && weights->output && (!model->qkv_bias || weights->qkv_bias) &&
         (!model->output_bias || weights->output_bias);
}

static void fill_weights(uint64_t seed, const AttendLayerShape *shape, ModelWeights *weights) {
  const size_t columns = fused_columns(shape), inner = shape->query_heads * shape->value_dim;
  random_fill(seed, STREAM_QKV, weight_scale(shape->width), weights->qkv, shape->width * columns);
  amplify_queries(shape, weights->qkv);
  random_fill(seed, STREAM_OUTPUT, weight_scale(inner), weights->output, inner * shape->width);
  if (weights->qkv_bias) random_fill(seed, STREAM_QKV_BIAS, BIAS_SCALE, weights->qkv_bias, columns);
  if (weights->output_bias)
    random_fill(seed, STREAM_OUTPUT_BIAS, BIAS_SCALE, weights->output_bias, shape->width);
}

static bool pack(const AttendModel *model, ModelWeights *weights, char *reason) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.qkv = weights->qkv;
  source.qkv_bias = weights->qkv_bias;
  source.output = weights->output;
  source.output_bias = weights->output_bias;
  AttendContext *context = NULL;
  AttendStatus status = attend_open(&context, NULL);
  if (status == ATTEND_OK)
    status = attend_pack_weights(context, &model->shape, &source, &weights->packed);
  if (status != ATTEND_OK)
    snprintf(reason, BENCH_REASON_SIZE, "the weights could not be packed: %s",
             context ? attend_get_error(context) : attend_status_message(status));
  attend_close(&context);
  return status == ATTEND_OK;
}

bool weights_open(const BenchConfig *config, const AttendModel *model, ModelWeights *weights,
                  char *reason) {
  *weights = (ModelWeights){0};
  if (config->part == BENCH_CORE) return true;
  const AttendLayerShape *const shape = &model->shape;
  const double floats =
      (double)shape->width * (double)(fused_columns(shape) + shape->query_heads * shape->value_dim);
  /* Twice: once for the oracle, once packed. */
  if (allocation_fits(2 * sizeof(float) * floats) && allocate_weights(model, weights)) {
    fill_weights(config->seed, shape, weights);
    if (pack(model, weights, reason)) return true;
  } else {
    snprintf(reason, BENCH_REASON_SIZE,
             "the weights and their packed copy need %.1f GiB of memory, more than is available",
             2 * sizeof(float) * floats / 0x1p30);
  }
  weights_close(weights);
  return false;
}

void weights_close(ModelWeights *weights) {
  attend_free_weights(&weights->packed);
  free(weights->qkv);
  free(weights->output);
  free(weights->qkv_bias);
  free(weights->output_bias);
  *weights = (ModelWeights){0};
}

static bool needs_keys(const Workload *workload) {
  return workload->config->part == BENCH_CORE || workload->past > 0;
}

/* Tokens in the key and value buffers: all that a core reads, or those that fill a cache. */
static size_t key_tokens(const Workload *workload) {
  return workload->config->part == BENCH_CORE ? workload->tokens : workload->past;
}

static size_t x_width(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  return workload->config->part == BENCH_CORE ? shape->query_heads * shape->head_dim : shape->width;
}

/* Rows of K or V over all sequences and heads, and of x. */
static double key_rows(const Workload *workload) {
  return (double)workload->config->batch * (double)workload->model->shape.kv_heads *
         (double)key_tokens(workload);
}

static double x_rows(const Workload *workload) {
  return (double)workload->config->batch * (double)workload->queries;
}

static double input_floats(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  return x_rows(workload) * (double)(x_width(workload) + workload->width) +
         key_rows(workload) * (double)(shape->head_dim + shape->value_dim);
}

static bool allocate_inputs(Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  workload->x = allocate_floats(x_rows(workload) * (double)x_width(workload));
  workload->output = allocate_floats(x_rows(workload) * (double)workload->width);
  if (!workload->x || !workload->output) return false;
  if (!needs_keys(workload)) return true;
  workload->key = allocate_floats(key_rows(workload) * (double)shape->head_dim);
  workload->value = allocate_floats(key_rows(workload) * (double)shape->value_dim);
  return workload->key && workload->value;
}

static void fill_inputs(Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const uint64_t seed = workload->config->seed;
  const float gain = workload->config->part == BENCH_CORE ? QUERY_GAIN : 1.0f;
  const size_t rows = (size_t)x_rows(workload), keys = (size_t)key_rows(workload);
  random_fill(seed, STREAM_X, gain, workload->x, rows * x_width(workload));
  if (!needs_keys(workload)) return;
  random_fill(seed, STREAM_KEY, 1.0f, workload->key, keys * shape->head_dim);
  random_fill(seed, STREAM_VALUE, 1.0f, workload->value, keys * shape->value_dim);
}

/* A cache of N tokens that holds the N - 1 random ones before the step. */
static bool open_cache(Workload *workload, char *reason) {
  const AttendLayerShape *const shape = &workload->model->shape;
  AttendContext *context = NULL;
  AttendStatus status = attend_open(&context, NULL);
  if (status == ATTEND_OK)
    status = attend_open_cache(context, shape, workload->config->batch, workload->tokens,
                               &workload->cache);
  if (status == ATTEND_OK && workload->past > 0)
    status = attend_append_cache(context, workload->cache, workload->past,
                                 workload_view(workload, workload->key, shape->head_dim),
                                 workload_view(workload, workload->value, shape->value_dim));
  if (status != ATTEND_OK)
    snprintf(reason, BENCH_REASON_SIZE, "the cache could not be filled: %s",
             context ? attend_get_error(context) : attend_status_message(status));
  attend_close(&context);
  return status == ATTEND_OK;
}

bool workload_open(const BenchConfig *config, const AttendModel *model, const ModelWeights *weights,
                   size_t tokens, Workload *workload, char *reason) {
  const bool decode = config->mode == BENCH_DECODE, layer = config->part == BENCH_LAYER;
  *workload = (Workload){.config = config,
                         .model = model,
                         .weights = weights,
                         .tokens = tokens,
                         .queries = decode ? 1 : tokens,
                         .past = decode && layer ? tokens - 1 : 0,
                         .width = layer ? model->shape.width
                                        : model->shape.query_heads * model->shape.value_dim};
  /* A decoding layer holds its keys and values twice: here for the oracle, and in the cache. */
  const double bytes = sizeof(float) * input_floats(workload) * (workload->past ? 2 : 1);
  if (allocation_fits(bytes) && allocate_inputs(workload)) {
    fill_inputs(workload);
    if (!(decode && layer) || open_cache(workload, reason)) return true;
  } else {
    snprintf(reason, BENCH_REASON_SIZE,
             "the inputs and the output need %.1f GiB of memory, more than is available",
             bytes / 0x1p30);
  }
  workload_close(workload);
  return false;
}

void workload_close(Workload *workload) {
  attend_close_cache(&workload->cache);
  free(workload->x);
  free(workload->key);
  free(workload->value);
  free(workload->output);
  *workload = (Workload){0};
}

AttendView workload_view(const Workload *workload, const float *data, size_t dim) {
  return attend_view_bhnd(data, key_tokens(workload), workload->model->shape.kv_heads, dim);
}

AttendOptions workload_options(const Workload *workload) {
  AttendOptions options;
  attend_default_options(&options);
  options.causal = workload->config->causal;
  if (workload->config->part == BENCH_CORE && workload->config->mode == BENCH_DECODE)
    options.q_start = (int64_t)workload->tokens - 1;
  return options;
}

static AttendShape core_shape(const Workload *workload, size_t queries) {
  const AttendLayerShape *const shape = &workload->model->shape;
  return (AttendShape){.batch = workload->config->batch,
                       .query_tokens = queries,
                       .key_tokens = queries == workload->queries ? workload->tokens : queries,
                       .query_heads = shape->query_heads,
                       .kv_heads = shape->kv_heads,
                       .head_dim = shape->head_dim,
                       .value_dim = shape->value_dim};
}

static AttendStatus call_core(const Workload *workload, AttendContext *context, size_t queries) {
  const AttendShape shape = core_shape(workload, queries);
  const AttendOptions options = workload_options(workload);
  return attend_core_forward(
      context, &shape,
      attend_view_bnhd(workload->x, workload->queries, shape.query_heads, shape.head_dim),
      workload_view(workload, workload->key, shape.head_dim),
      workload_view(workload, workload->value, shape.value_dim), &options,
      attend_output_bnhd(workload->output, workload->queries, shape.query_heads, shape.value_dim),
      NULL);
}

AttendStatus workload_call(const Workload *workload, AttendContext *context) {
  if (workload->config->part == BENCH_CORE) return call_core(workload, context, workload->queries);
  const AttendOptions options = workload_options(workload);
  AttendStatus status = attend_layer_forward(context, workload->weights->packed, workload->cache,
                                             workload->config->batch, workload->queries,
                                             workload->x, &options, workload->output);
  if (status == ATTEND_OK && workload->cache)
    status = attend_truncate_cache(workload->cache, workload->past);
  return status;
}

AttendStatus workload_call_prefix(const Workload *workload, AttendContext *context,
                                  size_t queries) {
  if (workload->config->part == BENCH_CORE) return call_core(workload, context, queries);
  const AttendOptions options = workload_options(workload);
  return attend_layer_forward(context, workload->weights->packed, NULL, workload->config->batch,
                              queries, workload->x, &options, workload->output);
}

AttendStatus workload_plan(const Workload *workload, AttendContext *context, AttendPlan *plan) {
  const AttendOptions options = workload_options(workload);
  *plan = (AttendPlan){.struct_size = sizeof *plan};
  if (workload->config->part == BENCH_CORE) {
    const AttendShape shape = core_shape(workload, workload->queries);
    return attend_plan_core(context, &shape, &options, plan);
  }
  return attend_plan_layer(context, &workload->model->shape, workload->config->batch,
                           workload->queries, workload->past, workload->cache != NULL, &options,
                           plan);
}

double workload_bytes(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const double weights =
      workload->weights->packed ? (double)attend_weights_bytes(workload->weights->packed) : 0;
  const bool stored = workload->config->part == BENCH_CORE || workload->cache;
  const double tokens = stored ? (double)workload->tokens : 0;
  const double keys = (double)workload->config->batch * (double)shape->kv_heads * tokens *
                      (double)(shape->head_dim + shape->value_dim);
  const double rows = x_rows(workload) * (double)(x_width(workload) + workload->width);
  return weights + sizeof(float) * (keys + rows);
}
