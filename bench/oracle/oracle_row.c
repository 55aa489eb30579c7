/* oracle_row.c - one row of a layer in double precision, without forming V, nor K where that can
 * be.
 *
 * The oracle for sizes at which projecting every token would take minutes: heads are worked on in
 * blocks that read each token of X once. It is held against oracle_layer() by the tests.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/oracle/oracle.h"
#include "bench/oracle/oracle_parts.h"

/* Heads that read a token of X together, and columns of X that stay in the first-level cache. */
#define BLOCK_HEADS 4
#define BLOCK_COLUMNS 512

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

/* What the heads of one sampled row have in common. Keys begin .. end - 1 are those that the row
 * may see by its position; those below layer->past are past ones. */
typedef struct Sample {
  const OracleLayer *layer;
  OracleCore core;
  size_t batch, token;
  size_t begin, end;
  size_t past;        /* how many of them are past */
  const float *x;     /* of the first new one of them */
  const double *keys; /* likewise, [Hk, D] a token; null: there is neither norm nor RoPE */
  const long double *rotations; /* cosines and sines of the row's position */
  double scale;
} Sample;

static size_t sample_keys(const Sample *sample) {
  return sample->end - sample->begin;
}

static size_t sample_new_keys(const Sample *sample) {
  return sample->end - sample->begin - sample->past;
}

/* Scratch of one block of heads; the arrays of head k of the block stand at k times their length.
 * There are always BLOCK_HEADS of each: heads that do not exist have zeros. */
typedef struct Block {
  double *query;  /* [D] */
  double *image;  /* [E] W_k q */
  double *scores; /* [keys], then weights */
  double *mixed;  /* [E] sum_j p_j x_j */
} Block;

static bool block_open(Block *block, const Sample *sample) {
  const OracleLayer *const layer = sample->layer;
  const size_t keys = sample_keys(sample) + 1;
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

static void fill_query(const Sample *sample, size_t head, double *query) {
  const OracleLayer *const layer = sample->layer;
  const size_t dim = layer->head_dim;
  const float *const x = layer->x + (sample->batch * layer->tokens + sample->token) * layer->width;
  const float *const bias = layer->qkv_bias;
  project(x, layer->width, layer->qkv + head * dim, fused_columns(layer), dim,
          bias ? bias + head * dim : NULL, query);
  norm_head(layer->query_norm, layer->norm_epsilon, dim, query);
  oracle_rope_apply(&layer->rope, sample->rotations, query);
}

/* The scores of past keys, and of new ones where they are formed; else the image W_k q, and q . b_k
 * as the start of their scores. */
static void start_head(const Sample *sample, size_t head, const double *query, double *image,
                       double *scores) {
  const OracleLayer *const layer = sample->layer;
  const size_t dim = layer->head_dim, columns = fused_columns(layer);
  const size_t kv_head = head / (layer->query_heads / layer->kv_heads);
  const size_t key_column = (layer->query_heads + kv_head) * dim;
  const float *const bias = layer->qkv_bias;
  double *const new_scores = scores + sample->past;
  for (size_t j = 0; j < sample->past; j++)
    scores[j] = dot_mixed(
        query, view_row(&layer->past_key, sample->batch, sample->begin + j, kv_head), dim);
  if (sample->keys) {
    const double *const keys = sample->keys + kv_head * dim;
    for (size_t j = 0; j < sample_new_keys(sample); j++)
      new_scores[j] = dot_doubles(query, keys + j * layer->kv_heads * dim, dim);
    return;
  }
  for (size_t e = 0; e < layer->width; e++)
    image[e] = dot_mixed(query, layer->qkv + e * columns + key_column, dim);
  const double offset = bias ? dot_mixed(query, bias + key_column, dim) : 0.0;
  for (size_t j = 0; j < sample_new_keys(sample); j++) new_scores[j] = offset;
}

/* scores[k][j] += x_j . image[k] for the four heads at once, so that x is read and widened once. */
static void add_scores(const Sample *sample, const Block *block, size_t stride) {
  const size_t width = sample->layer->width;
  for (size_t first = 0; first < width; first += BLOCK_COLUMNS) {
    const size_t count = smaller(BLOCK_COLUMNS, width - first);
    const double *const image = block->image + first;
    for (size_t j = 0; j < sample_new_keys(sample); j++) {
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
      double *const score = block->scores + sample->past + j;
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
    for (size_t j = 0; j < sample_new_keys(sample); j++) {
      const float *const x = sample->x + j * width + first;
      const double *const weight = block->scores + sample->past + j;
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
  for (size_t j = 0; j < sample_new_keys(sample); j++) new_weight += weights[sample->past + j];
  if (layer->qkv_bias) add_scaled(context, new_weight, layer->qkv_bias + column, dim);
  for (size_t j = 0; j < sample->past; j++)
    add_scaled(context, weights[j],
               view_row(&layer->past_value, sample->batch, sample->begin + j, kv_head), dim);
}

static void weigh_head(const Sample *sample, size_t head, double *scores) {
  const size_t keys = sample_keys(sample);
  for (size_t j = 0; j < keys; j++)
    scores[j] = oracle_core_score(&sample->core, sample->batch, sample->token, head,
                                  sample->begin + j, sample->scale * scores[j]);
  oracle_core_weigh(&sample->core, head, scores, keys);
}

static void sample_heads(const Sample *sample, size_t first, size_t heads, const Block *block,
                         double *context) {
  const OracleLayer *const layer = sample->layer;
  const size_t stride = sample_keys(sample) + 1;
  for (size_t k = 0; k < heads; k++) {
    double *const query = block->query + k * layer->head_dim;
    fill_query(sample, first + k, query);
    start_head(sample, first + k, query, block->image + k * layer->width,
               block->scores + k * stride);
  }
  if (!sample->keys) add_scores(sample, block, stride);
  for (size_t k = 0; k < heads; k++) weigh_head(sample, first + k, block->scores + k * stride);
  mix_tokens(sample, block, stride);
  for (size_t k = 0; k < heads; k++)
    finish_head(sample, first + k, block->scores + k * stride, block->mixed + k * layer->width,
                context + (first + k) * layer->value_dim);
}

/* The row's place, and its cosines and sines in rotations, which has room for 2 dims. */
static Sample open_sample(const OracleLayer *layer, size_t batch, size_t token, const double *keys,
                          long double *rotations) {
  Sample sample = {.layer = layer,
                   .core = scoring_core(layer),
                   .batch = batch,
                   .token = token,
                   .rotations = rotations,
                   .scale = scale_or_default(layer->scale, layer->head_dim)};
  oracle_layer_range(layer, token, &sample.begin, &sample.end);
  const size_t past_end = smaller(sample.end, layer->past);
  sample.past = past_end > sample.begin ? past_end - sample.begin : 0;
  const size_t at = sample.begin + sample.past, first = at > layer->past ? at - layer->past : 0;
  sample.x = layer->x + (batch * layer->tokens + first) * layer->width;
  if (keys) sample.keys = keys + first * layer->kv_heads * layer->head_dim;
  long double *const frequencies = rotations + layer->rope.dims;
  oracle_rope_frequencies(&layer->rope, frequencies);
  oracle_rope_rotations(&layer->rope, frequencies, (int64_t)(layer->past + token), rotations);
  return sample;
}

bool oracle_layer_row(const OracleLayer *layer, size_t batch, size_t token, const double *keys,
                      double *y) {
  long double *const rotations = malloc((2 * layer->rope.dims + 1) * sizeof *rotations);
  double *const context = calloc(layer->query_heads * layer->value_dim, sizeof *context);
  bool complete = rotations && context;
  if (complete) {
    const Sample sample = open_sample(layer, batch, token, keys, rotations);
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
  }
  free(rotations);
  free(context);
  return complete;
}
