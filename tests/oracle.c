/* oracle.c - the formula of attention in double precision.
 *
 * Everything up to oracle_layer() is the formula, loop by loop. Sums are marked `omp simd` so that a
 * compiler may split them into several accumulators; in double that changes nothing a test can see.
 * It refuses nothing: arguments are the tests' own and taken as they come.
 */
#include "tests/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Heads that read a token of X together, and columns of X that stay in the first-level cache. */
#define BLOCK_HEADS 4
#define BLOCK_COLUMNS 512

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Keys 0 .. result - 1 are visible. Positions are compared as unsigned sums that cannot wrap. */
static size_t visible_keys(bool causal, int64_t q_start, size_t token, size_t keys) {
  if (!causal) return keys;
  if (q_start < 0) {
    const uint64_t before = (uint64_t)0 - (uint64_t)q_start;
    return token < before ? 0 : smaller(keys, token - (size_t)before + 1);
  }
  if ((uint64_t)q_start >= keys) return keys;
  return smaller(keys, (size_t)q_start + token + 1);
}

static double scale_or_default(double scale, size_t head_dim) {
  return scale != 0.0 ? scale : 1.0 / sqrt((double)head_dim);
}

static const float *view_row(const OracleView *view, size_t batch, size_t token, size_t head) {
  return view->data + batch * view->batch_stride + token * view->token_stride +
         head * view->head_stride;
}

/* Turns scores into weights and returns their LSE. Weights of an empty row are zero. */
static double softmax(double *score, size_t count) {
  double max = -INFINITY;
  bool has_nan = false;
  for (size_t j = 0; j < count; j++) {
    has_nan |= isnan(score[j]);
    if (score[j] > max) max = score[j];
  }
  if (max == -INFINITY && !has_nan) {
    for (size_t j = 0; j < count; j++) score[j] = 0.0;
    return -INFINITY;
  }
  double sum = 0.0;
  for (size_t j = 0; j < count; j++) {
    score[j] = exp(score[j] - max);
    sum += score[j];
  }
  for (size_t j = 0; j < count; j++) score[j] /= sum;
  return max + log(sum);
}

static double dot_floats(const float *a, const float *b, size_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t d = 0; d < count; d++) sum += (double)a[d] * (double)b[d];
  return sum;
}

static double dot_magnitudes(const float *a, const float *b, size_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t d = 0; d < count; d++) sum += fabs((double)a[d] * (double)b[d]);
  return sum;
}

static double dot_mixed(const double *a, const float *b, size_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t d = 0; d < count; d++) sum += a[d] * (double)b[d];
  return sum;
}

static double dot_doubles(const double *a, const double *b, size_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t d = 0; d < count; d++) sum += a[d] * b[d];
  return sum;
}

static void add_scaled(double *restrict sum, double factor, const float *restrict row,
                       size_t count) {
  for (size_t d = 0; d < count; d++) sum[d] += factor * (double)row[d];
}

OracleRow oracle_core_row(const OracleCore *core, size_t batch, size_t token, size_t head,
                          double *scores, double *row, double *magnitude, double *spread) {
  const size_t kv_head = head / (core->query_heads / core->kv_heads);
  const double scale = scale_or_default(core->scale, core->head_dim);
  const float *const query = view_row(&core->query, batch, token, head);
  OracleRow result = {-INFINITY, 0.0, 0};
  result.visible = visible_keys(core->causal, core->q_start, token, core->key_tokens);
  memset(row, 0, core->value_dim * sizeof *row);
  if (magnitude) memset(magnitude, 0, core->value_dim * sizeof *magnitude);
  if (spread) memset(spread, 0, core->value_dim * sizeof *spread);

  for (size_t j = 0; j < result.visible; j++) {
    const float *const key = view_row(&core->key, batch, j, kv_head);
    scores[j] = scale * dot_floats(query, key, core->head_dim);
    const double size = fabs(scale) * dot_magnitudes(query, key, core->head_dim);
    if (size > result.score_magnitude) result.score_magnitude = size;
  }
  result.lse = softmax(scores, result.visible);
  if (result.lse == -INFINITY) return result;

  for (size_t j = 0; j < result.visible; j++) {
    const float *const value = view_row(&core->value, batch, j, kv_head);
    add_scaled(row, scores[j], value, core->value_dim);
  }
  for (size_t j = 0; j < result.visible && (magnitude || spread); j++) {
    const float *const value = view_row(&core->value, batch, j, kv_head);
    for (size_t d = 0; d < core->value_dim; d++) {
      if (magnitude) magnitude[d] += scores[j] * fabs((double)value[d]);
      if (spread) spread[d] += scores[j] * fabs((double)value[d] - row[d]);
    }
  }
  return result;
}

bool oracle_core(const OracleCore *core, double *out, double *magnitude, double *spread,
                 OracleRow *rows) {
  const size_t count = core->batch * core->query_heads * core->query_tokens;
  bool complete = true;
#pragma omp parallel reduction(&& : complete)
  {
    double *const scores = malloc((core->key_tokens + 1) * sizeof *scores);
    complete = scores != NULL;
#pragma omp for schedule(dynamic, 4)
    for (size_t index = 0; index < count; index++) {
      if (!scores) continue;
      const size_t token = index % core->query_tokens;
      const size_t head = index / core->query_tokens % core->query_heads;
      const size_t batch = index / core->query_tokens / core->query_heads;
      const size_t at =
          ((batch * core->query_tokens + token) * core->query_heads + head) * core->value_dim;
      rows[index] = oracle_core_row(core, batch, token, head, scores, out + at,
                                    magnitude ? magnitude + at : NULL, spread ? spread + at : NULL);
    }
    free(scores);
  }
  return complete;
}

/* out[columns] = x[rows] W[rows, columns] + bias, W being part of a matrix of `stride` columns. */
static void project(const float *x, size_t rows, const float *weight, size_t stride, size_t columns,
                    const float *bias, double *out) {
  for (size_t c = 0; c < columns; c++) out[c] = bias ? (double)bias[c] : 0.0;
  for (size_t e = 0; e < rows; e++) add_scaled(out, (double)x[e], weight + e * stride, columns);
}

static size_t fused_columns(const OracleLayer *layer) {
  return (layer->query_heads + layer->kv_heads) * layer->head_dim +
         layer->kv_heads * layer->value_dim;
}

/* One sequence, its past included: tokens [past + tokens, fused columns] as doubles. The query part
 * of past tokens is not used and stays zero. */
static void fill_sequence(const OracleLayer *layer, size_t batch, double *sequence) {
  const size_t columns = fused_columns(layer);
  double *const keys = sequence + layer->query_heads * layer->head_dim;
  double *const values = keys + layer->kv_heads * layer->head_dim;
  for (size_t j = 0; j < layer->past; j++) {
    for (size_t g = 0; g < layer->kv_heads; g++) {
      const float *const key = view_row(&layer->past_key, batch, j, g);
      const float *const value = view_row(&layer->past_value, batch, j, g);
      double *const to_key = keys + j * columns + g * layer->head_dim;
      double *const to_value = values + j * columns + g * layer->value_dim;
      for (size_t d = 0; d < layer->head_dim; d++) to_key[d] = (double)key[d];
      for (size_t d = 0; d < layer->value_dim; d++) to_value[d] = (double)value[d];
    }
  }
  for (size_t i = 0; i < layer->tokens; i++)
    project(layer->x + (batch * layer->tokens + i) * layer->width, layer->width, layer->qkv,
            columns, columns, layer->qkv_bias, sequence + (layer->past + i) * columns);
}

/* context[Dv] of one token and head. */
static void attend_sequence(const OracleLayer *layer, const double *sequence, size_t token,
                            size_t head, double *scores, double *context) {
  const size_t columns = fused_columns(layer);
  const size_t kv_head = head / (layer->query_heads / layer->kv_heads);
  const double scale = scale_or_default(layer->scale, layer->head_dim);
  const double *const query = sequence + (layer->past + token) * columns + head * layer->head_dim;
  const double *const keys =
      sequence + layer->query_heads * layer->head_dim + kv_head * layer->head_dim;
  const double *const values = sequence + (layer->query_heads + layer->kv_heads) * layer->head_dim +
                               kv_head * layer->value_dim;
  const size_t visible = visible_keys(layer->causal, (int64_t)layer->past + layer->q_start, token,
                                      layer->past + layer->tokens);
  for (size_t j = 0; j < visible; j++)
    scores[j] = scale * dot_doubles(query, keys + j * columns, layer->head_dim);
  softmax(scores, visible);
  memset(context, 0, layer->value_dim * sizeof *context);
  for (size_t j = 0; j < visible; j++)
    for (size_t d = 0; d < layer->value_dim; d++) context[d] += scores[j] * values[j * columns + d];
}

/* y[c] = sum_r context[r] W_o[r, c] + b_o[c] for columns first .. first + count - 1. */
static void project_output(const OracleLayer *layer, const double *context, size_t first,
                           size_t count, double *y) {
  const float *const bias = layer->output_bias;
  for (size_t c = first; c < first + count; c++) y[c] = bias ? (double)bias[c] : 0.0;
  for (size_t r = 0; r < layer->query_heads * layer->value_dim; r++)
    add_scaled(y + first, context[r], layer->output + r * layer->width + first, count);
}

bool oracle_layer(const OracleLayer *layer, double *y) {
  const size_t keys = layer->past + layer->tokens;
  double *const sequence = calloc(keys * fused_columns(layer) + 1, sizeof *sequence);
  double *const context = malloc(layer->query_heads * layer->value_dim * sizeof *context);
  double *const scores = malloc((keys + 1) * sizeof *scores);
  const bool complete = sequence && context && scores;
  for (size_t b = 0; complete && b < layer->batch; b++) {
    fill_sequence(layer, b, sequence);
    for (size_t i = 0; i < layer->tokens; i++) {
      for (size_t h = 0; h < layer->query_heads; h++)
        attend_sequence(layer, sequence, i, h, scores, context + h * layer->value_dim);
      project_output(layer, context, 0, layer->width, y + (b * layer->tokens + i) * layer->width);
    }
  }
  free(scores);
  free(context);
  free(sequence);
  return complete;
}

/* What the heads of one sampled row have in common. */
typedef struct Sample {
  const OracleLayer *layer;
  size_t batch, token;
  size_t visible_past, visible_new;
  const float *x; /* this sequence's tokens */
  double scale;
} Sample;

/* Scratch of one block of heads; the arrays of head k of the block stand at k times their length.
 * There are always BLOCK_HEADS of each: heads that do not exist have zeros. */
typedef struct Block {
  double *query;  /* [D] */
  double *image;  /* [E] W_k q */
  double *scores; /* [visible_past + visible_new], then weights */
  double *mixed;  /* [E] sum_j p_j x_j */
} Block;

static bool block_open(Block *block, const Sample *sample) {
  const OracleLayer *const layer = sample->layer;
  const size_t keys = sample->visible_past + sample->visible_new + 1;
  block->query = calloc(BLOCK_HEADS * layer->head_dim, sizeof(double));
  block->image = calloc(BLOCK_HEADS * layer->width, sizeof(double));
  block->scores = calloc(BLOCK_HEADS * keys, sizeof(double));
  block->mixed = calloc(BLOCK_HEADS * layer->width, sizeof(double));
  return block->query && block->image && block->scores && block->mixed;
}

static void block_close(Block *block) {
  free(block->query);
  free(block->image);
  free(block->scores);
  free(block->mixed);
}

/* q and its image W_k q, the scores of past keys, and q . b_k as the start of those of new keys. */
static void start_head(const Sample *sample, size_t head, double *query, double *image,
                       double *scores) {
  const OracleLayer *const layer = sample->layer;
  const size_t dim = layer->head_dim, columns = fused_columns(layer);
  const size_t kv_head = head / (layer->query_heads / layer->kv_heads);
  const size_t key_column = (layer->query_heads + kv_head) * dim;
  const float *const bias = layer->qkv_bias;
  project(sample->x + sample->token * layer->width, layer->width, layer->qkv + head * dim, columns,
          dim, bias ? bias + head * dim : NULL, query);
  for (size_t e = 0; e < layer->width; e++)
    image[e] = dot_mixed(query, layer->qkv + e * columns + key_column, dim);
  for (size_t j = 0; j < sample->visible_past; j++)
    scores[j] = dot_mixed(query, view_row(&layer->past_key, sample->batch, j, kv_head), dim);
  const double offset = bias ? dot_mixed(query, bias + key_column, dim) : 0.0;
  for (size_t j = 0; j < sample->visible_new; j++) scores[sample->visible_past + j] = offset;
}

/* scores[k][j] += x_j . image[k] for the four heads at once, so that x is read and widened once. */
static void add_scores(const Sample *sample, const Block *block, size_t stride) {
  const size_t width = sample->layer->width;
  for (size_t first = 0; first < width; first += BLOCK_COLUMNS) {
    const size_t count = smaller(BLOCK_COLUMNS, width - first);
    const double *const image = block->image + first;
    for (size_t j = 0; j < sample->visible_new; j++) {
      const float *const x = sample->x + j * width + first;
      double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
      for (size_t e = 0; e < count; e++) {
        const double value = (double)x[e];
        s0 += value * image[e];
        s1 += value * image[e + width];
        s2 += value * image[e + 2 * width];
        s3 += value * image[e + 3 * width];
      }
      double *const score = block->scores + sample->visible_past + j;
      score[0] += s0;
      score[stride] += s1;
      score[2 * stride] += s2;
      score[3 * stride] += s3;
    }
  }
}

/* mixed[k] = sum_j weights[k][j] x_j, likewise. */
static void mix_tokens(const Sample *sample, const Block *block, size_t stride) {
  const size_t width = sample->layer->width;
  memset(block->mixed, 0, BLOCK_HEADS * width * sizeof *block->mixed);
  for (size_t first = 0; first < width; first += BLOCK_COLUMNS) {
    const size_t count = smaller(BLOCK_COLUMNS, width - first);
    double *const mixed = block->mixed + first;
    for (size_t j = 0; j < sample->visible_new; j++) {
      const float *const x = sample->x + j * width + first;
      const double *const weight = block->scores + sample->visible_past + j;
      const double w0 = weight[0], w1 = weight[stride], w2 = weight[2 * stride],
                   w3 = weight[3 * stride];
#pragma omp simd
      for (size_t e = 0; e < count; e++) {
        const double value = (double)x[e];
        mixed[e] += w0 * value;
        mixed[e + width] += w1 * value;
        mixed[e + 2 * width] += w2 * value;
        mixed[e + 3 * width] += w3 * value;
      }
    }
  }
}

/* context[Dv] = mixed W_v + b_v * (weight of the new tokens) + the past values, weighted. */
static void finish_head(const Sample *sample, size_t head, const double *weights,
                        const double *mixed, double *context) {
  const OracleLayer *const layer = sample->layer;
  const size_t dim = layer->value_dim, columns = fused_columns(layer);
  const size_t kv_head = head / (layer->query_heads / layer->kv_heads);
  const size_t column =
      (layer->query_heads + layer->kv_heads) * layer->head_dim + kv_head * layer->value_dim;
  memset(context, 0, dim * sizeof *context);
  for (size_t e = 0; e < layer->width; e++)
    add_scaled(context, mixed[e], layer->qkv + e * columns + column, dim);
  double new_weight = 0.0;
  for (size_t j = 0; j < sample->visible_new; j++) new_weight += weights[sample->visible_past + j];
  if (layer->qkv_bias) add_scaled(context, new_weight, layer->qkv_bias + column, dim);
  for (size_t j = 0; j < sample->visible_past; j++)
    add_scaled(context, weights[j], view_row(&layer->past_value, sample->batch, j, kv_head), dim);
}

static void sample_heads(const Sample *sample, size_t first, size_t heads, const Block *block,
                         double *context) {
  const OracleLayer *const layer = sample->layer;
  const size_t keys = sample->visible_past + sample->visible_new, stride = keys + 1;
  for (size_t k = 0; k < heads; k++)
    start_head(sample, first + k, block->query + k * layer->head_dim,
               block->image + k * layer->width, block->scores + k * stride);
  add_scores(sample, block, stride);
  for (size_t k = 0; k < heads; k++) {
    double *const scores = block->scores + k * stride;
    for (size_t j = 0; j < keys; j++) scores[j] *= sample->scale;
    softmax(scores, keys);
  }
  mix_tokens(sample, block, stride);
  for (size_t k = 0; k < heads; k++)
    finish_head(sample, first + k, block->scores + k * stride, block->mixed + k * layer->width,
                context + (first + k) * layer->value_dim);
}

bool oracle_layer_row(const OracleLayer *layer, size_t batch, size_t token, double *y) {
  const size_t visible = visible_keys(layer->causal, (int64_t)layer->past + layer->q_start, token,
                                      layer->past + layer->tokens);
  const size_t visible_past = smaller(visible, layer->past);
  const Sample sample = {layer,
                         batch,
                         token,
                         visible_past,
                         visible - visible_past,
                         layer->x + batch * layer->tokens * layer->width,
                         scale_or_default(layer->scale, layer->head_dim)};
  double *const context = calloc(layer->query_heads * layer->value_dim, sizeof *context);
  if (!context) return false;
  bool complete = true;
#pragma omp parallel reduction(&& : complete)
  {
    Block block;
    complete = block_open(&block, &sample);
#pragma omp for schedule(dynamic, 1)
    for (size_t first = 0; first < layer->query_heads; first += BLOCK_HEADS)
      if (complete)
        sample_heads(&sample, first, smaller(BLOCK_HEADS, layer->query_heads - first), &block,
                     context);
    block_close(&block);
#pragma omp for schedule(dynamic, 1)
    for (size_t first = 0; first < layer->width; first += BLOCK_COLUMNS)
      project_output(layer, context, first, smaller(BLOCK_COLUMNS, layer->width - first), y);
  }
  free(context);
  return complete;
}
