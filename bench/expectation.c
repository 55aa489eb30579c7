/* expectation.c - translates a workload into the oracle's types. */
#include "bench/expectation.h"

#include <stdlib.h>

#include "bench/allocation.h"
#include "bench/oracle/oracle.h"

/* Tokens whose keys are formed between two looks at `cancelled`. */
#define PIECE_TOKENS 256

static bool is_core(const Workload *workload) {
  return workload->config->part == BENCH_CORE;
}

static OracleView oracle_view(AttendView view) {
  return (OracleView){view.data, view.batch_stride, view.token_stride, view.head_stride};
}

static OracleWindow oracle_window(int64_t keys) {
  return keys < 0 ? (OracleWindow){0} : (OracleWindow){true, keys};
}

static OracleScoring oracle_scoring(const AttendOptions *options) {
  const AttendMask *const mask = &options->mask;
  const AttendBias *const bias = &options->bias;
  return (OracleScoring){
      .softcap = (double)options->softcap,
      .alibi_slopes = options->alibi_slopes,
      .sinks = options->sinks,
      .left = oracle_window(options->window_left),
      .right = oracle_window(options->window_right),
      .bias = {bias->data, bias->batch_stride, bias->head_stride, bias->query_stride,
               bias->key_stride, bias->key_tokens},
      .mask = {mask->data, mask->batch_stride, mask->head_stride, mask->query_stride,
               mask->key_stride, mask->key_tokens},
  };
}

/* Zero for a layer without RoPE. */
static OracleRope oracle_rope(const AttendModel *model) {
  static const OracleRopeKind kinds[] = {[ATTEND_ROPE_UNSCALED] = ORACLE_ROPE_PLAIN,
                                         [ATTEND_ROPE_LINEAR] = ORACLE_ROPE_LINEAR,
                                         [ATTEND_ROPE_NTK] = ORACLE_ROPE_NTK,
                                         [ATTEND_ROPE_YARN] = ORACLE_ROPE_YARN,
                                         [ATTEND_ROPE_LLAMA3] = ORACLE_ROPE_BANDS};
  const AttendRope *const rope = &model->rope;
  if (rope->pairing == ATTEND_ROPE_NONE) return (OracleRope){0};
  const bool yarn = rope->scaling == ATTEND_ROPE_YARN;
  return (OracleRope){
      .kind = kinds[rope->scaling],
      .dims = rope->dims ? rope->dims : model->shape.head_dim,
      .interleaved = rope->pairing == ATTEND_ROPE_INTERLEAVED,
      .base = (long double)rope->base,
      .factor = (long double)rope->factor,
      .original = (long double)rope->original_positions,
      .few = (long double)(yarn ? rope->beta_slow : rope->low_frequency_factor),
      .many = (long double)(yarn ? rope->beta_fast : rope->high_frequency_factor),
      .fractional = rope->untruncated,
      .attention = (long double)rope->attention_factor,
  };
}

static OracleLayer oracle_layer_of(const Workload *workload) {
  const AttendModel *const model = workload->model;
  const AttendLayerShape *const shape = &model->shape;
  const ModelWeights *const weights = workload->weights;
  const AttendOptions options = workload_options(workload, 0);
  return (OracleLayer){
      .batch = workload->config->batch,
      .tokens = workload->queries,
      .past = workload->past,
      .width = shape->width,
      .query_heads = shape->query_heads,
      .kv_heads = shape->kv_heads,
      .head_dim = shape->head_dim,
      .value_dim = shape->value_dim,
      .x = workload->x,
      .qkv = weights->qkv,
      .qkv_bias = weights->qkv_bias,
      .output = weights->output,
      .output_bias = weights->output_bias,
      .query_norm = weights->query_norm,
      .key_norm = weights->key_norm,
      .norm_epsilon = (double)model->norm_epsilon,
      .rope = oracle_rope(model),
      .past_key = oracle_view(workload_view(workload, workload->key, shape->head_dim)),
      .past_value = oracle_view(workload_view(workload, workload->value, shape->value_dim)),
      .scale = (double)options.scale,
      .causal = options.causal,
      .scoring = oracle_scoring(&options),
  };
}

/* Forms the keys that the row needs and no row before it needed. */
static bool form_keys(Expectation *expectation, const OracleLayer *layer, size_t sequence,
                      size_t query, bool (*cancelled)(void)) {
  size_t begin, end;
  oracle_layer_range(layer, query, &begin, &end);
  if (sequence != expectation->sequence) expectation->formed_end = 0;
  expectation->sequence = sequence;
  begin = begin > layer->past ? begin - layer->past : 0;
  end = end > layer->past ? end - layer->past : 0;
  if (begin < expectation->formed_end) begin = expectation->formed_end;
  for (; begin < end; begin += PIECE_TOKENS) {
    const size_t count = end - begin < PIECE_TOKENS ? end - begin : PIECE_TOKENS;
    if (cancelled() || !oracle_layer_keys(layer, sequence, begin, count, expectation->keys))
      return false;
  }
  if (end > expectation->formed_end) expectation->formed_end = end;
  return true;
}

static bool layer_row(Expectation *expectation, size_t sequence, size_t query,
                      bool (*cancelled)(void), double *values) {
  const OracleLayer layer = oracle_layer_of(expectation->workload);
  if (expectation->keys && !form_keys(expectation, &layer, sequence, query, cancelled))
    return false;
  return oracle_layer_row(&layer, sequence, query, expectation->keys, values);
}

static bool core_row(const Workload *workload, size_t sequence, size_t query, double *values) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const size_t dim = shape->head_dim, heads = shape->query_heads;
  const AttendOptions options = workload_options(workload, 0);
  const OracleCore core = {
      .batch = workload->config->batch,
      .query_tokens = workload->queries,
      .key_tokens = workload->tokens,
      .query_heads = heads,
      .kv_heads = shape->kv_heads,
      .head_dim = dim,
      .value_dim = shape->value_dim,
      .query = oracle_view(attend_view_bnhd(workload->x, workload->queries, heads, dim)),
      .key = oracle_view(workload_view(workload, workload->key, dim)),
      .value = oracle_view(workload_view(workload, workload->value, shape->value_dim)),
      .scale = (double)options.scale,
      .causal = options.causal,
      .q_start = (int64_t)workload->past,
      .scoring = oracle_scoring(&options),
  };
  bool complete = true;
#pragma omp parallel for reduction(&& : complete)
  for (size_t h = 0; h < heads; h++) {
    double *const scores = malloc((core.key_tokens + 1) * sizeof *scores);
    complete = complete && scores;
    if (scores)
      oracle_core_row(&core, sequence, query, h, scores, values + h * core.value_dim, NULL, NULL);
    free(scores);
  }
  return complete;
}

bool expectation_open(const Workload *workload, Expectation *expectation) {
  const AttendModel *const model = workload->model;
  *expectation = (Expectation){.workload = workload};
  if (is_core(workload) || (model->rope.pairing == ATTEND_ROPE_NONE && !model->qk_norm))
    return true;
  const double bytes = sizeof(double) * (double)workload->queries *
                       (double)(model->shape.kv_heads * model->shape.head_dim);
  if (allocation_fits(bytes)) expectation->keys = malloc((size_t)bytes);
  return expectation->keys != NULL;
}

void expectation_close(Expectation *expectation) {
  free(expectation->keys);
  *expectation = (Expectation){0};
}

bool expectation_row(Expectation *expectation, size_t sequence, size_t query,
                     bool (*cancelled)(void), double *values) {
  if (is_core(expectation->workload))
    return core_row(expectation->workload, sequence, query, values);
  return layer_row(expectation, sequence, query, cancelled, values);
}

double expectation_row_cost(const Workload *workload) {
  const AttendModel *const model = workload->model;
  const AttendLayerShape *const shape = &model->shape;
  const double heads = (double)shape->query_heads, width = (double)shape->width;
  const double dims = (double)(shape->head_dim + shape->value_dim);
  const AttendOptions options = scoring_options(workload->config, model);
  double keys = (double)workload->tokens;
  if (options.window_left >= 0 && (options.causal || options.window_right >= 0)) {
    const double right = options.causal ? 0 : (double)options.window_right;
    const double window = (double)options.window_left + 1 + right;
    if (window < keys) keys = window;
  }
  if (is_core(workload)) return heads * keys * dims;
  /* A decode step reads its past keys as they are; a prefill goes through x, for V at least. */
  const bool formed = model->qk_norm || model->rope.pairing != ATTEND_ROPE_NONE;
  double key_cost = formed ? width + (double)shape->head_dim : 2 * width;
  if (workload->past) key_cost = dims;
  return heads * (keys * key_cost + 2 * width * dims);
}
