/* oracle_parts.h - the steps of the formula that all forms of the oracle take.
 *
 * Each is a loop or two in double. They belong to oracle*.c alone.
 */
#ifndef ATTEND_BENCH_ORACLE_ORACLE_PARTS_H
#define ATTEND_BENCH_ORACLE_ORACLE_PARTS_H

#include <math.h>
#include <string.h>

#include "bench/oracle/oracle.h"

static inline size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static inline double scale_or_default(double scale, size_t head_dim) {
  return scale != 0.0 ? scale : 1.0 / sqrt((double)head_dim);
}

static inline const float *view_row(const OracleView *view, size_t batch, size_t token,
                                    size_t head) {
  return view->data + batch * view->batch_stride + token * view->token_stride +
         head * view->head_stride;
}

static inline void add_scaled(double *restrict sum, double factor, const float *restrict row,
                              size_t count) {
  for (size_t d = 0; d < count; d++) sum[d] += factor * (double)row[d];
}

/* out[columns] = x[rows] W[rows, columns] + bias, W being part of a matrix of `stride` columns. */
static inline void project(const float *x, size_t rows, const float *weight, size_t stride,
                           size_t columns, const float *bias, double *out) {
  for (size_t c = 0; c < columns; c++) out[c] = bias ? (double)bias[c] : 0.0;
  for (size_t e = 0; e < rows; e++) add_scaled(out, (double)x[e], weight + e * stride, columns);
}

/* RMSNorm of a head in place (Zhang and Sennrich 2019); no weights: nothing. */
static inline void norm_head(const float *weights, double epsilon, size_t dim, double *head) {
  double squares = 0.0;
  if (!weights) return;
  for (size_t d = 0; d < dim; d++) squares += head[d] * head[d];
  const double root = sqrt(squares / (double)dim + epsilon);
  for (size_t d = 0; d < dim; d++) head[d] = head[d] / root * (double)weights[d];
}

/* The layer's attention, for what happens to scores once they are scaled. */
static inline OracleCore scoring_core(const OracleLayer *layer) {
  return (OracleCore){.batch = layer->batch,
                      .query_tokens = layer->tokens,
                      .key_tokens = layer->past + layer->tokens,
                      .query_heads = layer->query_heads,
                      .kv_heads = layer->kv_heads,
                      .head_dim = layer->head_dim,
                      .value_dim = layer->value_dim,
                      .query = {.data = layer->x},
                      .scale = layer->scale,
                      .causal = layer->causal,
                      .q_start = (int64_t)layer->past + layer->q_start,
                      .scoring = layer->scoring};
}

static inline size_t fused_columns(const OracleLayer *layer) {
  return (layer->query_heads + layer->kv_heads) * layer->head_dim +
         layer->kv_heads * layer->value_dim;
}

/* y[c] = sum_r context[r] W_o[r, c] + b_o[c] for columns first .. first + count - 1. */
static inline void project_output(const OracleLayer *layer, const double *context, size_t first,
                                  size_t count, double *y) {
  const float *const bias = layer->output_bias;
  for (size_t c = first; c < first + count; c++) y[c] = bias ? (double)bias[c] : 0.0;
  for (size_t r = 0; r < layer->query_heads * layer->value_dim; r++)
    add_scaled(y + first, context[r], layer->output + r * layer->width + first, count);
}

#endif
