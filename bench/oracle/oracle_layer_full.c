/* oracle_layer_full.c - a whole attention layer of a published model, in double, step by step. */
#include "bench/oracle/oracle_layer_full.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t columns_of(const OracleFull *l) {
  return (l->query_heads + l->kv_heads) * l->head_dim + l->kv_heads * l->value_dim;
}

/* RMSNorm: x / sqrt(mean(x^2) + epsilon) * weight. */
static void norm(const float *weight, double epsilon, size_t dim, double *head) {
  double squares = 0.0;
  for (size_t d = 0; d < dim; d++) squares += head[d] * head[d];
  const double root = sqrt(squares / (double)dim + epsilon);
  for (size_t d = 0; d < dim; d++) head[d] = head[d] / root * (double)weight[d];
}

/* One token: x W + b, then norm and RoPE of each head of Q and K. */
static void project_token(const OracleFull *l, const float *x, int64_t position, double *row) {
  const size_t columns = columns_of(l);
  for (size_t c = 0; c < columns; c++) row[c] = l->qkv_bias ? (double)l->qkv_bias[c] : 0.0;
  for (size_t e = 0; e < l->width; e++)
    for (size_t c = 0; c < columns; c++) row[c] += (double)x[e] * (double)l->qkv[e * columns + c];
  for (size_t h = 0; h < l->query_heads + l->kv_heads; h++) {
    double *const head = row + h * l->head_dim;
    const float *const weight = h < l->query_heads ? l->query_norm : l->key_norm;
    if (weight) norm(weight, l->norm_epsilon, l->head_dim, head);
    oracle_rope_rotate(&l->rope, position, head);
  }
}

static bool is_visible(const OracleFull *l, size_t i, size_t j) {
  if (l->causal && j > i) return false;
  return l->window_left < 0 || (int64_t)j >= (int64_t)i - l->window_left;
}

/* The context of token i and head h, [Dv]; scores is scratch [tokens]. */
static void attend_head(const OracleFull *l, const double *rows, size_t tokens, size_t i, size_t h,
                        double *scores, double *context) {
  const size_t D = l->head_dim, Dv = l->value_dim, columns = columns_of(l);
  const size_t g = h / (l->query_heads / l->kv_heads);
  const double *const query = rows + i * columns + h * D;
  const double *const keys = rows + (l->query_heads + g) * D;
  const double *const values = rows + (l->query_heads + l->kv_heads) * D + g * Dv;
  const double scale = l->scale != 0.0 ? l->scale : 1.0 / sqrt((double)D);
  double max = l->sinks ? (double)l->sinks[h] : -INFINITY;
  for (size_t j = 0; j < tokens; j++) {
    if (!is_visible(l, i, j)) continue;
    double dot = 0.0;
    for (size_t d = 0; d < D; d++) dot += query[d] * keys[j * columns + d];
    scores[j] = scale * dot;
    if (l->softcap > 0.0) scores[j] = l->softcap * tanh(scores[j] / l->softcap);
    if (scores[j] > max) max = scores[j];
  }
  double sum = l->sinks ? exp((double)l->sinks[h] - max) : 0.0;
  memset(context, 0, Dv * sizeof *context);
  for (size_t j = 0; j < tokens; j++) {
    if (!is_visible(l, i, j)) continue;
    const double weight = exp(scores[j] - max);
    sum += weight;
    for (size_t d = 0; d < Dv; d++) context[d] += weight * values[j * columns + d];
  }
  for (size_t d = 0; d < Dv; d++) context[d] /= sum;
}

static void project_output(const OracleFull *l, const double *context, double *y) {
  for (size_t e = 0; e < l->width; e++) y[e] = l->output_bias ? (double)l->output_bias[e] : 0.0;
  for (size_t r = 0; r < l->query_heads * l->value_dim; r++)
    for (size_t e = 0; e < l->width; e++) y[e] += context[r] * (double)l->output[r * l->width + e];
}

bool oracle_full(const OracleFull *l, size_t tokens, const float *x, const int64_t *positions,
                 const OracleFullResult *result) {
  const size_t columns = columns_of(l), context_columns = l->query_heads * l->value_dim;
  const size_t queries = l->query_heads * l->head_dim, keys = l->kv_heads * l->head_dim;
  double *const rows = malloc((tokens * columns + tokens + context_columns) * sizeof *rows);
  if (!rows) return false;
  double *const scores = rows + tokens * columns, *const context = scores + tokens;
  for (size_t i = 0; i < tokens; i++) {
    double *const row = rows + i * columns;
    project_token(l, x + i * l->width, positions ? positions[i] : (int64_t)i, row);
    if (result->query) memcpy(result->query + i * queries, row, queries * sizeof *row);
    if (result->key) memcpy(result->key + i * keys, row + queries, keys * sizeof *row);
  }
  for (size_t i = 0; i < tokens; i++) {
    for (size_t h = 0; h < l->query_heads; h++)
      attend_head(l, rows, tokens, i, h, scores, context + h * l->value_dim);
    project_output(l, context, result->y + i * l->width);
  }
  free(rows);
  return true;
}
