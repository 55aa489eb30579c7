/* verify.c - asks the oracle for rows and compares.
 *
 * The oracle is that of the tests and shares no code with the library. Its cost decides how many
 * rows are compared, so that verifying never takes longer than measuring.
 */
#include "bench/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/oracle.h"

/* Multiply-adds of the oracle that one workload may cost: a second or two. */
#define ORACLE_BUDGET 1.5e9
#define ROWS_LEAST 4
#define CHAIN_FREE 1024.0

static double row_cost(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const double heads = (double)shape->query_heads, keys = (double)workload->tokens;
  const double dims = (double)(shape->head_dim + shape->value_dim);
  if (workload->config->part == BENCH_CORE) return heads * keys * dims;
  /* A decode step reads its past keys as they are; a prefill goes through x. */
  const double key_cost = workload->past ? dims : 2 * (double)shape->width;
  return heads * (keys * key_cost + 2 * (double)shape->width * dims);
}

static size_t choose_count(const Workload *workload, size_t total) {
  const double affordable = ORACLE_BUDGET / row_cost(workload);
  if (affordable >= (double)total) return total;
  const size_t count = affordable > ROWS_LEAST ? (size_t)affordable : ROWS_LEAST;
  return count < total ? count : total;
}

static double longest_sum(const Workload *workload) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const size_t inner = shape->query_heads * shape->value_dim;
  const bool core = workload->config->part == BENCH_CORE;
  size_t longest = workload->tokens;
  if (core && shape->head_dim > longest) longest = shape->head_dim;
  if (!core && shape->width > longest) longest = shape->width;
  if (!core && inner > longest) longest = inner;
  return (double)longest;
}

static OracleView oracle_view(AttendView view) {
  return (OracleView){view.data, view.batch_stride, view.token_stride, view.head_stride};
}

static bool layer_row(const Workload *workload, size_t row, double *values) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const ModelWeights *const weights = workload->weights;
  const OracleLayer layer = {
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
      .past_key = oracle_view(workload_view(workload, workload->key, shape->head_dim)),
      .past_value = oracle_view(workload_view(workload, workload->value, shape->value_dim)),
      .causal = workload->config->causal,
  };
  return oracle_layer_row(&layer, row / workload->queries, row % workload->queries, values);
}

static bool core_row(const Workload *workload, size_t row, double *values) {
  const AttendLayerShape *const shape = &workload->model->shape;
  const size_t dim = shape->head_dim, heads = shape->query_heads;
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
      .causal = workload->config->causal,
      .q_start = workload_options(workload).q_start,
  };
  bool complete = true;
#pragma omp parallel for reduction(&& : complete)
  for (size_t h = 0; h < heads; h++) {
    double *const scores = malloc((core.key_tokens + 1) * sizeof *scores);
    complete = complete && scores;
    if (scores)
      oracle_core_row(&core, row / core.query_tokens, row % core.query_tokens, h, scores,
                      values + h * core.value_dim, NULL, NULL);
    free(scores);
  }
  return complete;
}

static bool fill_rows(const Workload *workload, bool (*cancelled)(void), Reference *reference,
                      char *reason) {
  const bool core = workload->config->part == BENCH_CORE;
  for (size_t i = 0; i < reference->count; i++) {
    double *const values = reference->values + i * reference->width;
    const size_t row = reference->rows[i];
    if (cancelled()) return false;
    if (core ? !core_row(workload, row, values) : !layer_row(workload, row, values)) {
      snprintf(reason, BENCH_REASON_SIZE, "there is no memory for the oracle that verifies it");
      return false;
    }
  }
  return true;
}

bool reference_open(const Workload *workload, bool (*cancelled)(void), Reference *reference,
                    char *reason) {
  const size_t total = workload->config->batch * workload->queries;
  const size_t count = choose_count(workload, total);
  const double chain = longest_sum(workload);
  *reference = (Reference){.count = count,
                           .width = workload->width,
                           .rows = malloc(count * sizeof *reference->rows),
                           .values = malloc(count * workload->width * sizeof *reference->values),
                           .factor = chain > CHAIN_FREE ? sqrt(chain / CHAIN_FREE) : 1};
  reason[0] = '\0';
  if (!reference->rows || !reference->values) {
    snprintf(reason, BENCH_REASON_SIZE, "there is no memory for the output that is expected");
    reference_close(reference);
    return false;
  }
  for (size_t i = 0; i < count; i++)
    reference->rows[i] = count > 1 ? i * (total - 1) / (count - 1) : 0;
  if (fill_rows(workload, cancelled, reference, reason)) return true;
  reference_close(reference);
  return false;
}

void reference_close(Reference *reference) {
  free(reference->rows);
  free(reference->values);
  *reference = (Reference){0};
}

void reference_compare(const Reference *reference, const float *output, double *error,
                       double *share) {
  *error = *share = 0;
  for (size_t i = 0; i < reference->count; i++) {
    const float *const row = output + reference->rows[i] * reference->width;
    const double *const expected = reference->values + i * reference->width;
    for (size_t c = 0; c < reference->width; c++) {
      const double difference = fabs((double)row[c] - expected[c]);
      const double tolerance = reference->factor * (1e-5 + 5e-6 * fabs(expected[c]));
      if (isnan(difference)) {
        *error = *share = INFINITY;
        return;
      }
      if (difference > *error) *error = difference;
      if (difference > *share * tolerance) *share = difference / tolerance;
    }
  }
}

void reference_spoil(const Workload *workload) {
  const size_t count = workload->config->batch * workload->queries * workload->width;
  for (size_t i = 0; i < count; i++) workload->output[i] = NAN;
}
