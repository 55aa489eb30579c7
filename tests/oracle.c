/* oracle.c - the formula of attention in double precision.
 *
 * This is the formula, loop by loop. Sums are marked `omp simd` so that a compiler may split them into
 * several accumulators; in double that changes nothing a test can see. It refuses nothing: arguments
 * are the tests' own and taken as they come.
 */
#include "tests/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracle_parts.h"

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

static double dot_doubles(const double *a, const double *b, size_t count) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t d = 0; d < count; d++) sum += a[d] * b[d];
  return sum;
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
