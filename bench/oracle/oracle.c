/* oracle.c - the layer around the formula of attention in double precision.
 *
 * Every token is projected, loop by loop. Sums are marked `omp simd` so that a compiler may split
 * them into several accumulators; in double that changes nothing a test can see. It refuses
 * nothing: arguments are the tests' own and taken as they come.
 */
#include "bench/oracle/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/oracle/oracle_parts.h"

static double dot_doubles(const double *a, const double *b, size_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t d = 0; d < count; d++) sum += a[d] * b[d];
  return sum;
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
  for (size_t i = 0; i < layer->tokens; i++) {
    double *const row = sequence + (layer->past + i) * columns;
    project(layer->x + (batch * layer->tokens + i) * layer->width, layer->width, layer->qkv,
            columns, columns, layer->qkv_bias, row);
    for (size_t h = 0; h < layer->query_heads + layer->kv_heads; h++) {
      double *const head = row + h * layer->head_dim;
      norm_head(h < layer->query_heads ? layer->query_norm : layer->key_norm, layer->norm_epsilon,
                layer->head_dim, head);
      oracle_rope_rotate(&layer->rope, (int64_t)(layer->past + i), head);
    }
  }
}

/* context[Dv] of one token and head. */
static void attend_sequence(const OracleLayer *layer, const double *sequence, size_t batch,
                            size_t token, size_t head, double *scores, double *context) {
  const size_t columns = fused_columns(layer);
  const size_t kv_head = head / (layer->query_heads / layer->kv_heads);
  const double scale = scale_or_default(layer->scale, layer->head_dim);
  const double *const query = sequence + (layer->past + token) * columns + head * layer->head_dim;
  const double *const keys =
      sequence + layer->query_heads * layer->head_dim + kv_head * layer->head_dim;
  const double *const values = sequence + (layer->query_heads + layer->kv_heads) * layer->head_dim +
                               kv_head * layer->value_dim;
  const OracleCore core = scoring_core(layer);
  for (size_t j = 0; j < core.key_tokens; j++) {
    const double scaled = scale * dot_doubles(query, keys + j * columns, layer->head_dim);
    scores[j] = oracle_core_score(&core, batch, token, head, j, scaled);
  }
  oracle_core_weigh(&core, head, scores, core.key_tokens);
  memset(context, 0, layer->value_dim * sizeof *context);
  for (size_t j = 0; j < core.key_tokens; j++)
    for (size_t d = 0; d < layer->value_dim && scores[j] != 0.0; d++)
      context[d] += scores[j] * values[j * columns + d];
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
        attend_sequence(layer, sequence, b, i, h, scores, context + h * layer->value_dim);
      project_output(layer, context, 0, layer->width, y + (b * layer->tokens + i) * layer->width);
    }
  }
  free(scores);
  free(context);
  free(sequence);
  return complete;
}
