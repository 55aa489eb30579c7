/* oracle_parts.h - the steps of the formula that both forms of the oracle take.
 *
 * Each is a loop or two in double. They belong to oracle.c and oracle_row.c alone.
 */
#ifndef ATTEND_TESTS_ORACLE_PARTS_H
#define ATTEND_TESTS_ORACLE_PARTS_H

#include <math.h>
#include <string.h>

#include "tests/oracle.h"

static inline size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Keys 0 .. result - 1 are visible. Positions are compared as unsigned sums that cannot wrap. */
static inline size_t visible_keys(bool causal, int64_t q_start, size_t token, size_t keys) {
  if (!causal) return keys;
  if (q_start < 0) {
    const uint64_t before = (uint64_t)0 - (uint64_t)q_start;
    return token < before ? 0 : smaller(keys, token - (size_t)before + 1);
  }
  if ((uint64_t)q_start >= keys) return keys;
  return smaller(keys, (size_t)q_start + token + 1);
}

static inline double scale_or_default(double scale, size_t head_dim) {
  return scale != 0.0 ? scale : 1.0 / sqrt((double)head_dim);
}

static inline const float *view_row(const OracleView *view, size_t batch, size_t token,
                                    size_t head) {
  return view->data + batch * view->batch_stride + token * view->token_stride +
         head * view->head_stride;
}

/* Turns scores into weights and returns their LSE. Weights of an empty row are zero. */
static inline double softmax(double *score, size_t count) {
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
