/* verify.c - chooses the rows that are expected, and compares.
 *
 * The cost of a row in float64 decides how many are compared, so that verifying never takes longer
 * than measuring. Keys after norm and RoPE, which rows of a sequence share, are not in that cost:
 * forming them is a third of a projection that every call does in float32.
 */
#include "bench/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/expectation.h"
#include "kernels/kernels.h"
#include "storage/storage.h"

/* Multiply-adds of the oracle that one workload may cost: a second or two. */
#define ORACLE_BUDGET 1.5e9
#define ROWS_LEAST 4
#define CHAIN_FREE 1024.0

static size_t choose_count(const Workload *workload, size_t total) {
  const double affordable = ORACLE_BUDGET / expectation_row_cost(workload);
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

/* How much larger scores are than with the usual scale. */
static double score_gain(const Workload *workload) {
  return fabs(scoring_scale(workload->config, workload->model)) *
         sqrt((double)workload->model->shape.head_dim);
}

static bool fill_rows(const Workload *workload, bool (*cancelled)(void), Expectation *expectation,
                      Reference *reference, char *reason) {
  const size_t total = workload->config->batch * workload->queries, count = reference->count;
  for (size_t i = 0; i < count; i++) {
    const size_t row = count > 1 ? i * (total - 1) / (count - 1) : 0;
    const size_t sequence = row / workload->queries, query = row % workload->queries;
    if (cancelled()) return false;
    reference->rows[i] = workload_output_row(workload, sequence, query);
    if (expectation_row(expectation, sequence, query, cancelled,
                        reference->values + i * reference->width))
      continue;
    if (!cancelled())
      snprintf(reason, BENCH_REASON_SIZE, "there is no memory for the oracle that verifies it");
    return false;
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
  reference->gain = fmax(1, score_gain(workload));
  reference->factor *= reference->gain;
  reason[0] = '\0';
  if (!reference->rows || !reference->values) {
    snprintf(reason, BENCH_REASON_SIZE, "there is no memory for the output that is expected");
    reference_close(reference);
    return false;
  }
  Expectation expectation;
  bool complete = expectation_open(workload, &expectation);
  if (complete)
    complete = fill_rows(workload, cancelled, &expectation, reference, reason);
  else
    snprintf(reason, BENCH_REASON_SIZE, "there is no memory for the keys of the oracle");
  expectation_close(&expectation);
  if (!complete) reference_close(reference);
  return complete;
}

void reference_close(Reference *reference) {
  free(reference->rows);
  free(reference->values);
  *reference = (Reference){0};
}

/* Relative error of a number that is rounded to so many terms; none of a float. */
static double rounding(size_t terms) {
  static const double units[KERNEL_MAX_TERMS + 1] = {0, 0x1p-9, 0x1p-18, 0};
  return units[terms];
}

void reference_compare(const Reference *reference, AttendPrecision precision, AttendStorage storage,
                       const float *output, double *error, double *share) {
  const double epsilon =
      2 * rounding(precision_terms(precision)) + storage_format(storage).rounding;
  const double rounded = 16 * reference->gain * epsilon;
  *error = *share = 0;
  for (size_t i = 0; i < reference->count; i++) {
    const float *const row = output + reference->rows[i] * reference->width;
    const double *const expected = reference->values + i * reference->width;
    for (size_t c = 0; c < reference->width; c++) {
      const double difference = fabs((double)row[c] - expected[c]);
      const double tolerance = reference->factor * (1e-5 + 5e-6 * fabs(expected[c])) + rounded;
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
