/* workload.c - owns the buffers that calls read and write, and says how a pass is cut into calls.
 *
 * Streams of random numbers are numbered here for the inputs; a buffer's contents depend on the
 * seed, its stream and its size, so that every path and every number of threads sees the same data.
 */
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/allocation.h"
#include "bench/random.h"

/* Away from the streams of model_weights.c and scoring.c. */
enum { STREAM_X = 32, STREAM_KEY, STREAM_VALUE };

static bool is_core(const Workload *workload) {
  return workload->config->part == BENCH_CORE;
}

static bool has_cache(const BenchConfig *config) {
  return config->mode == BENCH_DECODE || config->chunk > 0;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static bool needs_keys(const Workload *workload) {
  return is_core(workload) || workload->past > 0;
}

/* Tokens in the key and value buffers: all that a core reads, or those that fill a cache. */
static size_t key_tokens(const Workload *workload) {
  return is_core(workload) ? workload->tokens : workload->past;
}

static size_t x_width(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  return is_core(workload) ? shape->query_heads * shape->head_dim : shape->width;
}

/* Rows of K or V over all sequences and heads, and of x. */
static double key_rows(const Workload *workload) {
  return (double)workload->config->batch * (double)workload->model->shape.kv_heads *
         (double)key_tokens(workload);
}

static double x_rows(const Workload *workload) {
  return (double)workload->config->batch * (double)workload->queries;
}

/* A layer takes [B, tokens, E] without gaps: of several sequences, a chunk must be gathered
 * first. */
static bool is_staged(const Workload *workload) {
  return !is_core(workload) && workload->config->chunk > 0 && workload->config->batch > 1;
}

static double input_bytes(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const size_t copies = is_staged(workload) ? 2 : 1;
  const double rows = x_rows(workload) * (double)(copies * x_width(workload) + workload->width);
  const double token = (double)(shape->head_dim + shape->value_dim);
  const double keys = key_rows(workload) * token;
  size_t caches = 0;
  for (size_t p = 0; has_cache(workload->config) && p < workload->config->path_count; p++)
    caches += p == 0 || config_storage(workload->config, p) != config_storage(workload->config, 0);
  const double cached = (double)(caches * workload->config->batch) * (double)shape->kv_heads *
                        (double)workload->tokens * token;
  return sizeof(float) * (rows + keys + cached) +
         scoring_bytes(workload->config, workload->queries, workload->tokens);
}

static bool allocate_inputs(Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  workload->x = allocate_floats(x_rows(workload) * (double)x_width(workload));
  workload->output = allocate_floats(x_rows(workload) * (double)workload->width);
  if (is_staged(workload))
    workload->staged = allocate_floats(x_rows(workload) * (double)x_width(workload));
  if (!workload->x || !workload->output || (is_staged(workload) && !workload->staged)) return false;
  if (!scoring_open(workload->config, workload->model, workload->queries, workload->tokens,
                    &workload->scoring))
    return false;
  if (!needs_keys(workload)) return true;
  workload->key = allocate_floats(key_rows(workload) * (double)shape->head_dim);
  workload->value = allocate_floats(key_rows(workload) * (double)shape->value_dim);
  return workload->key && workload->value;
}

size_t workload_output_row(const Workload *workload, size_t sequence, size_t query) {
  const size_t batch = workload->config->batch, queries = workload->queries;
  if (is_core(workload)) return sequence * queries + query;
  const size_t first = query - query % workload->step;
  const size_t count = smaller(workload->step, queries - first);
  return first * batch + sequence * count + (query - first);
}

static void stage_x(Workload *workload) {
  const size_t width = x_width(workload);
  for (size_t b = 0; b < workload->config->batch; b++)
    for (size_t i = 0; i < workload->queries; i++)
      memcpy(workload->staged + workload_output_row(workload, b, i) * width,
             workload->x + (b * workload->queries + i) * width, width * sizeof(float));
}

static void fill_inputs(Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const uint64_t seed = workload->config->seed;
  const float gain = is_core(workload) ? QUERY_GAIN : 1.0f;
  const size_t rows = (size_t)x_rows(workload), keys = (size_t)key_rows(workload);
  random_fill(seed, STREAM_X, gain, workload->x, rows * x_width(workload));
  if (workload->staged) stage_x(workload);
  if (!needs_keys(workload)) return;
  random_fill(seed, STREAM_KEY, 1.0f, workload->key, keys * shape->head_dim);
  random_fill(seed, STREAM_VALUE, 1.0f, workload->value, keys * shape->value_dim);
}

AttendView workload_view(const Workload *workload, const float *data, size_t dim) {
  return attend_view_bhnd(data, key_tokens(workload), workload->model->shape.kv_heads, dim);
}

/* Appends tokens first .. first + count - 1 of the key and value buffers to every sequence. */
static AttendStatus append_keys(const Workload *workload, AttendContext *context, size_t first,
                                size_t count) {
  const AttendLayerShape *const shape = &workload->model->shape;
  AttendView key = workload_view(workload, workload->key, shape->head_dim);
  AttendView value = workload_view(workload, workload->value, shape->value_dim);
  key.data += first * key.token_stride;
  value.data += first * value.token_stride;
  AttendStatus status = ATTEND_OK;
  for (size_t b = 0; b < workload->config->batch && status == ATTEND_OK; b++) {
    status = attend_append_cache(context, workload->cache, b, count, key, value);
    key.data += key.batch_stride;
    value.data += value.batch_stride;
  }
  return status;
}

static AttendStatus truncate_cache(const Workload *workload, size_t length) {
  AttendStatus status = ATTEND_OK;
  for (size_t b = 0; b < workload->config->batch && status == ATTEND_OK; b++)
    status = attend_truncate_cache(workload->cache, b, length);
  return status;
}

/* A cache with room for N tokens that holds the past ones, as a context of path number p stores
 * it. */
static bool open_cache(Workload *workload, size_t p, char *reason) {
  const AttendStorage storage = config_storage(workload->config, p);
  AttendCache **const cache = &workload->caches[storage];
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = workload->config->batch;
  settings.capacity = workload->tokens;
  settings.storage = workload->config->storage;
  AttendSettings how;
  attend_default_settings(&how);
  how.precision = config_precision(workload->config, p);
  AttendContext *context = NULL;
  AttendStatus status = attend_open(&context, &how);
  if (status == ATTEND_OK)
    status = attend_open_cache(context, &workload->model->shape, &settings, cache);
  workload->cache = *cache;
  if (status == ATTEND_OK && workload->past > 0)
    status = append_keys(workload, context, 0, workload->past);
  if (status != ATTEND_OK)
    snprintf(reason, BENCH_REASON_SIZE, "the cache could not be filled: %s",
             context ? attend_get_error(context) : attend_status_message(status));
  attend_close(&context);
  return status == ATTEND_OK;
}

static bool open_caches(Workload *workload, char *reason) {
  const BenchConfig *const config = workload->config;
  for (size_t p = 0; has_cache(config) && p < config->path_count; p++)
    if (!workload->caches[config_storage(config, p)] && !open_cache(workload, p, reason))
      return false;
  *workload = workload_stored(workload, config_storage(config, 0));
  return true;
}

Workload workload_stored(const Workload *workload, AttendStorage storage) {
  Workload stored = *workload;
  stored.storage = storage;
  stored.packed = workload->weights->packed[storage];
  stored.cache = workload->caches[storage];
  return stored;
}

bool workload_open(const BenchConfig *config, const AttendModel *model, const ModelWeights *weights,
                   size_t tokens, Workload *workload, char *reason) {
  const bool decode = config->mode == BENCH_DECODE, layer = config->part == BENCH_LAYER;
  *workload = (Workload){.config = config,
                         .model = model,
                         .weights = weights,
                         .tokens = tokens,
                         .queries = decode ? 1 : tokens,
                         .past = decode ? tokens - 1 : 0,
                         .width = layer ? model->shape.width
                                        : model->shape.query_heads * model->shape.value_dim};
  workload->step = config->chunk ? smaller(config->chunk, workload->queries) : workload->queries;
  const double bytes = input_bytes(workload);
  if (allocation_fits(bytes) && allocate_inputs(workload)) {
    fill_inputs(workload);
    if (open_caches(workload, reason)) return true;
  } else {
    snprintf(reason, BENCH_REASON_SIZE,
             "the inputs and the output need %.1f GiB of memory, more than is available",
             bytes / 0x1p30);
  }
  workload_close(workload);
  return false;
}

void workload_close(Workload *workload) {
  for (size_t s = 0; s < ATTEND_STORAGE_COUNT; s++) attend_close_cache(&workload->caches[s]);
  scoring_close(&workload->scoring);
  free(workload->x);
  free(workload->staged);
  free(workload->key);
  free(workload->value);
  free(workload->output);
  *workload = (Workload){0};
}

AttendOptions workload_options(const Workload *workload, size_t first) {
  AttendOptions options = scoring_options(workload->config, workload->model);
  scoring_attach(&workload->scoring, first, &options);
  return options;
}

static AttendShape core_shape(const Workload *workload, size_t queries, size_t keys) {
  const AttendLayerShape *const shape = &workload->model->shape;
  return (AttendShape){.batch = workload->config->batch,
                       .query_tokens = queries,
                       .key_tokens = keys,
                       .query_heads = shape->query_heads,
                       .kv_heads = shape->kv_heads,
                       .head_dim = shape->head_dim,
                       .value_dim = shape->value_dim};
}

/* Queries first .. first + count - 1 of a core, which are the last tokens of its keys. */
static AttendStatus call_core(const Workload *workload, AttendContext *context, size_t first,
                              size_t count) {
  const AttendShape shape = core_shape(workload, count, count);
  const AttendOptions options = workload_options(workload, first);
  AttendView query =
      attend_view_bnhd(workload->x, workload->queries, shape.query_heads, shape.head_dim);
  AttendOutputView out =
      attend_output_bnhd(workload->output, workload->queries, shape.query_heads, shape.value_dim);
  query.data += first * query.token_stride;
  out.data += first * out.token_stride;
  if (!workload->cache)
    return attend_core_forward(
        context, &shape, query, workload_view(workload, workload->key, shape.head_dim),
        workload_view(workload, workload->value, shape.value_dim), &options, out, NULL);
  const AttendStatus status = append_keys(workload, context, workload->past + first, count);
  if (status != ATTEND_OK) return status;
  return attend_cached_forward(context, &shape, workload->cache, query, &options, out, NULL);
}

static AttendStatus call_layer(const Workload *workload, AttendContext *context, size_t first,
                               size_t count) {
  const size_t batch = workload->config->batch, row = first * batch;
  const AttendOptions options = workload_options(workload, first);
  const float *const x = workload->staged ? workload->staged : workload->x;
  return attend_layer_forward(context, workload->packed, workload->cache, batch, count,
                              x + row * workload->model->shape.width, &options,
                              workload->output + row * workload->width);
}

AttendStatus workload_call_prefix(const Workload *workload, AttendContext *context,
                                  size_t queries) {
  AttendStatus status = ATTEND_OK;
  for (size_t first = 0; first < queries && status == ATTEND_OK; first += workload->step) {
    const size_t count = smaller(workload->step, queries - first);
    status = (is_core(workload) ? call_core : call_layer)(workload, context, first, count);
  }
  const AttendStatus kept = workload->cache ? truncate_cache(workload, workload->past) : ATTEND_OK;
  return status != ATTEND_OK ? status : kept;
}

AttendStatus workload_call(const Workload *workload, AttendContext *context) {
  return workload_call_prefix(workload, context, workload->queries);
}

/* The plan of one call of the library. A core with a cache is planned over the cache as the call
 * finds it. */
static AttendStatus plan_call(const Workload *workload, AttendContext *context, size_t first,
                              size_t count, AttendPlan *plan) {
  const AttendOptions options = workload_options(workload, first);
  const AttendShape shape = core_shape(workload, count, count);
  *plan = (AttendPlan){.struct_size = sizeof *plan};
  if (!is_core(workload))
    return attend_plan_layer(context, &workload->model->shape, workload->config->batch, count,
                             workload->past + first, workload->cache != NULL, &options, plan);
  if (!workload->cache) return attend_plan_core(context, &shape, &options, plan);
  const AttendStatus status = append_keys(workload, context, workload->past + first, count);
  return status != ATTEND_OK ? status
                             : attend_plan_cached(context, &shape, workload->cache, &options, plan);
}

AttendStatus workload_plan(const Workload *workload, AttendContext *context, AttendPlan *plan) {
  double core_flops = 0, projection_flops = 0;
  AttendStatus status = ATTEND_OK;
  *plan = (AttendPlan){.struct_size = sizeof *plan};
  for (size_t first = 0; first < workload->queries && status == ATTEND_OK;
       first += workload->step) {
    AttendPlan call;
    const size_t count = smaller(workload->step, workload->queries - first);
    status = plan_call(workload, context, first, count, &call);
    core_flops += call.core_flops;
    projection_flops += call.projection_flops;
    if (first == 0 || status != ATTEND_OK || call.workspace_bytes > plan->workspace_bytes)
      *plan = call;
  }
  plan->core_flops = core_flops;
  plan->projection_flops = projection_flops;
  const AttendStatus kept = workload->cache ? truncate_cache(workload, workload->past) : ATTEND_OK;
  return status != ATTEND_OK ? status : kept;
}

size_t workload_visible_keys(const Workload *workload) {
  const int64_t left = scoring_options(workload->config, workload->model).window_left;
  const size_t before = workload->tokens - workload->queries; /* the first query's position */
  return left >= 0 && (uint64_t)left < before ? workload->tokens - before + (size_t)left
                                              : workload->tokens;
}

double workload_bytes(const Workload *workload, AttendPrecision precision) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const double number = (double)bench_moved_bytes(precision, workload->storage);
  const double share = number / (double)bench_storage_bytes(workload->storage);
  const double weights =
      workload->packed ? share * (double)attend_weights_bytes(workload->packed) : 0;
  const bool stored = is_core(workload) || workload->cache;
  const double tokens = stored ? (double)workload_visible_keys(workload) : 0;
  const double token =
      number * (double)shape->kv_heads * (double)(shape->head_dim + shape->value_dim);
  const double rows = x_rows(workload) * (double)(x_width(workload) + workload->width);
  return weights + (double)workload->config->batch * tokens * token + sizeof(float) * rows;
}
