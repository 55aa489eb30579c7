/* oracle_keys.c - the keys of a layer in double precision, for rows that are asked for one by one.
 *
 * RoPE rotates every key by its own angle and a norm divides it by its own length, so that neither
 * can be moved from the keys to the query. The keys that rows see are formed once, in blocks of
 * tokens that read the weights together. They are held against oracle_layer() by the tests.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/oracle/oracle.h"
#include "bench/oracle/oracle_parts.h"

/* Tokens that read a row of W_k together, and columns of it that stay in the first-level cache. */
#define BLOCK_TOKENS 8
#define BLOCK_COLUMNS 64

void oracle_layer_range(const OracleLayer *layer, size_t token, size_t *begin, size_t *end) {
  const OracleScoring *const scoring = &layer->scoring;
  OracleCore plain = scoring_core(layer);
  plain.scoring = (OracleScoring){.left = scoring->left, .right = scoring->right};
  *begin = 0;
  *end = plain.key_tokens;
  while (*begin < *end && !oracle_sees(&plain, 0, token, 0, *begin)) ++*begin;
  while (*begin < *end && !oracle_sees(&plain, 0, token, 0, *end - 1)) --*end;
}

/* sum[c] += x W for four rows of W. */
static void add_rows(const float *x, double wide[static 4][BLOCK_COLUMNS], size_t count,
                     double *sum) {
  const double x0 = (double)x[0], x1 = (double)x[1], x2 = (double)x[2], x3 = (double)x[3];
#pragma omp simd
  for (size_t c = 0; c < count; c++)
    sum[c] += x0 * wide[0][c] + x1 * wide[1][c] + x2 * wide[2][c] + x3 * wide[3][c];
}

/* sums[t][c] += x_t W for columns column .. column + count - 1 of W; x_t are rows of X. Rows of W
 * are widened once for all tokens, four at a time, so that the sums are read and written less
 * often. */
static void add_products(const OracleLayer *layer, const float *x, size_t tokens, size_t column,
                         size_t count, double *sums, size_t stride) {
  const size_t columns = fused_columns(layer), width = layer->width;
  double wide[4][BLOCK_COLUMNS];
  size_t e = 0;
  for (; e + 4 <= width; e += 4) {
    for (size_t k = 0; k < 4; k++)
      for (size_t c = 0; c < count; c++)
        wide[k][c] = (double)layer->qkv[(e + k) * columns + column + c];
    for (size_t t = 0; t < tokens; t++) add_rows(x + t * width + e, wide, count, sums + t * stride);
  }
  for (; e < width; e++)
    for (size_t t = 0; t < tokens; t++)
      add_scaled(sums + t * stride, (double)x[t * width + e], layer->qkv + e * columns + column,
                 count);
}

/* Keys of a block of tokens, before norm and RoPE. */
static void project_keys(const OracleLayer *layer, const float *x, size_t tokens, double *keys) {
  const size_t width = layer->kv_heads * layer->head_dim;
  const size_t column = layer->query_heads * layer->head_dim;
  const float *const bias = layer->qkv_bias;
  for (size_t t = 0; t < tokens; t++)
    for (size_t c = 0; c < width; c++) keys[t * width + c] = bias ? (double)bias[column + c] : 0.0;
  for (size_t first = 0; first < width; first += BLOCK_COLUMNS)
    add_products(layer, x, tokens, column + first, smaller(BLOCK_COLUMNS, width - first),
                 keys + first, width);
}

bool oracle_layer_keys(const OracleLayer *layer, size_t batch, size_t first, size_t count,
                       double *keys) {
  const size_t width = layer->kv_heads * layer->head_dim, pairs = layer->rope.dims / 2;
  const float *const x = layer->x + batch * layer->tokens * layer->width;
  long double *const frequencies = malloc((pairs + 1) * sizeof *frequencies);
  bool complete = true;
  if (frequencies) oracle_rope_frequencies(&layer->rope, frequencies);
#pragma omp parallel reduction(&& : complete)
  {
    long double *const rotations = malloc((2 * pairs + 1) * sizeof *rotations);
    complete = frequencies && rotations;
#pragma omp for schedule(dynamic, 1)
    for (size_t i = first; i < first + count; i += BLOCK_TOKENS) {
      const size_t tokens = smaller(BLOCK_TOKENS, first + count - i);
      if (!complete) continue;
      project_keys(layer, x + i * layer->width, tokens, keys + i * width);
      for (size_t t = 0; t < tokens; t++) {
        oracle_rope_rotations(&layer->rope, frequencies, (int64_t)(layer->past + i + t), rotations);
        for (size_t g = 0; g < layer->kv_heads; g++) {
          double *const head = keys + (i + t) * width + g * layer->head_dim;
          norm_head(layer->key_norm, layer->norm_epsilon, layer->head_dim, head);
          oracle_rope_apply(&layer->rope, rotations, head);
        }
      }
    }
    free(rotations);
  }
  free(frequencies);
  return complete;
}
