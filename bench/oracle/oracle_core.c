/* oracle_core.c - the formula of attention in double precision, with all that may happen to a
 * score.
 *
 * A score goes through its steps one key at a time, and each step is a function of its own. Whether
 * a key is hidden is decided by comparing positions, never by counting how many there are. It
 * refuses nothing: arguments are the tests' own and taken as they come.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/oracle/oracle.h"
#include "bench/oracle/oracle_parts.h"

/* Sums of positions that cannot wrap. */
__extension__ typedef __int128 Position;

/* A slack beyond this is no bound any more, and its exponential stays finite. */
#define MOST_SLACK 100.0

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

OracleSequence oracle_sequence(const OracleCore *core, size_t batch) {
  const OracleLengths *const lengths = &core->lengths;
  OracleSequence sequence = {.query_tokens = core->query_tokens,
                             .key_tokens = core->key_tokens,
                             .query_batch = batch,
                             .key_batch = batch,
                             .q_start = core->q_start};
  if (lengths->query_offsets) {
    sequence.query_batch = 0;
    sequence.query_at = lengths->query_offsets[batch];
    sequence.query_tokens = lengths->query_offsets[batch + 1] - sequence.query_at;
  }
  if (lengths->key_offsets) {
    sequence.key_batch = 0;
    sequence.key_at = lengths->key_offsets[batch];
    sequence.key_tokens = lengths->key_offsets[batch + 1] - sequence.key_at;
  }
  sequence.key_limit = sequence.key_tokens;
  if (lengths->key_lengths)
    sequence.key_limit = smaller(sequence.key_limit, lengths->key_lengths[batch]);
  if (lengths->q_starts) sequence.q_start = lengths->q_starts[batch];
  return sequence;
}

/* One row: which it is, and where its operands stand. */
typedef struct Row {
  const OracleCore *core;
  OracleSequence sequence;
  size_t batch, token, head, kv_head;
  Position position;
  double scale;
  const float *query;
} Row;

static Row open_row(const OracleCore *core, size_t batch, size_t token, size_t head) {
  Row row = {.core = core,
             .sequence = oracle_sequence(core, batch),
             .batch = batch,
             .token = token,
             .head = head,
             .kv_head = head / (core->query_heads / core->kv_heads),
             .scale = scale_or_default(core->scale, core->head_dim)};
  row.position = (Position)row.sequence.q_start + (Position)token;
  row.query = view_row(&core->query, row.sequence.query_batch, row.sequence.query_at + token, head);
  return row;
}

static const float *row_key(const Row *row, size_t j) {
  const OracleSequence *const s = &row->sequence;
  return view_row(&row->core->key, s->key_batch, s->key_at + j, row->kv_head);
}

static const float *row_value(const Row *row, size_t j) {
  const OracleSequence *const s = &row->sequence;
  return view_row(&row->core->value, s->key_batch, s->key_at + j, row->kv_head);
}

static double row_bias(const Row *row, size_t j) {
  const OracleBias *const bias = &row->core->scoring.bias;
  if (!bias->data) return 0.0;
  return (double)bias->data[row->batch * bias->batch_stride + row->head * bias->head_stride +
                            row->token * bias->query_stride + j * bias->key_stride];
}

static bool row_mask(const Row *row, size_t j) {
  const OracleMask *const mask = &row->core->scoring.mask;
  return !mask->data || mask->data[row->batch * mask->batch_stride + row->head * mask->head_stride +
                                   row->token * mask->query_stride + j * mask->key_stride] != 0;
}

static bool row_sees(const Row *row, size_t j) {
  const OracleScoring *const scoring = &row->core->scoring;
  const Position key = (Position)j, query = row->position;
  if (j >= row->sequence.key_limit) return false;
  if (row->core->causal && key > query) return false;
  if (scoring->left.limited && key < query - scoring->left.keys) return false;
  if (scoring->right.limited && key > query + scoring->right.keys) return false;
  if (scoring->mask.data && scoring->mask.keys && j >= scoring->mask.keys) return false;
  if (scoring->bias.data && scoring->bias.keys && j >= scoring->bias.keys) return false;
  return row_mask(row, j) && row_bias(row, j) != -INFINITY;
}

bool oracle_sees(const OracleCore *core, size_t batch, size_t token, size_t head, size_t key) {
  const Row row = open_row(core, batch, token, head);
  return row_sees(&row, key);
}

static double scaled_score(const Row *row, size_t j) {
  return row->scale * dot_floats(row->query, row_key(row, j), row->core->head_dim);
}

static double capped_score(const Row *row, double score) {
  const double cap = row->core->scoring.softcap;
  return cap > 0.0 ? cap * tanh(score / cap) : score;
}

static double alibi(const Row *row, size_t j) {
  const float *const slopes = row->core->scoring.alibi_slopes;
  if (!slopes) return 0.0;
  return (double)slopes[row->head] * fabs((double)(row->position - (Position)j));
}

/* Of a key that the row sees. */
static double final_score(const Row *row, size_t j, double capped) {
  return capped - alibi(row, j) + row_bias(row, j);
}

/* The row's sink, or -inf. */
static double row_sink(const Row *row) {
  const float *const sinks = row->core->scoring.sinks;
  return sinks ? (double)sinks[row->head] : -INFINITY;
}

/* What a score may be off by, apart from its distance to the row's largest. */
static double score_slack(const Row *row, size_t j, double capped) {
  const OracleSlack *const slack = &row->core->slack;
  const double products =
      fabs(row->scale) * dot_magnitudes(row->query, row_key(row, j), row->core->head_dim);
  double terms = fabs(alibi(row, j)) + fabs(row_bias(row, j));
  if (row->core->scoring.softcap > 0.0) terms += fabs(capped);
  return slack->product * products + slack->term * terms;
}

/* What a row's scores have in common once they are weights. */
typedef struct Total {
  double max;         /* the sink included */
  double sum;         /* of exp(score - max), the sink included */
  double sink_weight; /* 0 without one */
  bool empty;         /* there is no key with a weight */
} Total;

/* Turns final scores (-inf: hidden) into weights. */
static Total weigh_scores(double *scores, size_t count, double sink) {
  Total total = {.max = sink, .empty = true};
  for (size_t j = 0; j < count; j++) {
    if (scores[j] > total.max) total.max = scores[j];
    if (scores[j] != -INFINITY) total.empty = false;
  }
  if (total.empty) {
    for (size_t j = 0; j < count; j++) scores[j] = 0.0;
    return total;
  }
  total.sum = exp(sink - total.max);
  for (size_t j = 0; j < count; j++) {
    scores[j] = exp(scores[j] - total.max);
    total.sum += scores[j];
  }
  for (size_t j = 0; j < count; j++) scores[j] /= total.sum;
  total.sink_weight = exp(sink - total.max) / total.sum;
  return total;
}

double oracle_core_score(const OracleCore *core, size_t batch, size_t token, size_t head,
                         size_t key, double scaled) {
  const Row row = open_row(core, batch, token, head);
  if (!row_sees(&row, key)) return -INFINITY;
  return final_score(&row, key, capped_score(&row, scaled));
}

void oracle_core_weigh(const OracleCore *core, size_t head, double *scores, size_t count) {
  const float *const sinks = core->scoring.sinks;
  weigh_scores(scores, count, sinks ? (double)sinks[head] : -INFINITY);
}

/* Final scores of the keys below the limit, and, unless slack is null, what each may be off by.
 * Returns how many the row sees. */
static size_t fill_scores(const Row *row, double *scores, double *slack) {
  size_t visible = 0;
  for (size_t j = 0; j < row->sequence.key_limit; j++) {
    scores[j] = -INFINITY;
    if (slack) slack[j] = 0.0;
    if (!row_sees(row, j)) continue;
    const double capped = capped_score(row, scaled_score(row, j));
    visible++;
    scores[j] = final_score(row, j, capped);
    if (slack) slack[j] = score_slack(row, j, capped);
  }
  return visible;
}

/* expm1(2 slack), which is what multiplies the weight of a score at `distance` from the largest. */
static double weight_error(const Row *row, double slack, double distance) {
  const double total = slack + row->core->slack.term * fabs(distance);
  return expm1(2.0 * (total < MOST_SLACK ? total : MOST_SLACK));
}

/* Turns each key's slack into the error of its weight. A weight too small for a
 * double, below e^-745, has none, unless the slack reaches so far that it bounds nothing. */
static void spread_slack(const Row *row, const Total *total, const double *weights, double *slack) {
  for (size_t j = 0; j < row->sequence.key_limit; j++) {
    if (weights[j] > 0.0)
      slack[j] = weights[j] * weight_error(row, slack[j], log(weights[j] * total->sum));
    else if (slack[j] < MOST_SLACK)
      slack[j] = 0.0;
  }
}

/* The same for the sink. */
static double sink_error(const Row *row, const Total *total) {
  if (!(total->sink_weight > 0.0)) return 0.0;
  const double sink = row_sink(row), slack = row->core->slack.term * fabs(sink);
  return total->sink_weight * weight_error(row, slack, sink - total->max);
}

/* magnitude and spread of a row whose values have been summed. */
static void bound_row(const Row *row, const double *weights, const double *errors,
                      const double *out, double *magnitude, double *spread) {
  const size_t dim = row->core->value_dim;
  double total = 0.0;
  for (size_t j = 0; j < row->sequence.key_limit; j++) {
    if (!row_sees(row, j)) continue;
    const float *const value = row_value(row, j);
    total += fabs(weights[j]);
    for (size_t d = 0; d < dim; d++) {
      if (magnitude) magnitude[d] += fabs(weights[j] * (double)value[d]);
      if (spread) spread[d] += errors[j] * fabs((double)value[d] - out[d]);
    }
  }
  /* Weights of both signs: the sum that divides them is off by more than one part of itself. */
  for (size_t d = 0; d < dim && magnitude && total > 1.0; d++) magnitude[d] *= total;
}

OracleRow oracle_core_row(const OracleCore *core, size_t batch, size_t token, size_t head,
                          double *scores, double *out, double *magnitude, double *spread) {
  const Row row = open_row(core, batch, token, head);
  double *const slack = spread ? scores + core->key_tokens : NULL;
  OracleRow result = {.lse = row_sink(&row)};
  memset(out, 0, core->value_dim * sizeof *out);
  if (magnitude) memset(magnitude, 0, core->value_dim * sizeof *magnitude);
  if (spread) memset(spread, 0, core->value_dim * sizeof *spread);

  result.visible = fill_scores(&row, scores, slack);
  const Total total = weigh_scores(scores, row.sequence.key_limit, row_sink(&row));
  if (total.empty) return result;
  result.lse = total.max + log(total.sum);

  for (size_t j = 0; j < row.sequence.key_limit; j++)
    if (row_sees(&row, j)) add_scaled(out, scores[j], row_value(&row, j), core->value_dim);
  if (spread) {
    const double sink = sink_error(&row, &total);
    spread_slack(&row, &total, scores, slack);
    result.drift = sink;
    for (size_t j = 0; j < row.sequence.key_limit; j++) result.drift += slack[j];
    for (size_t d = 0; d < core->value_dim; d++) spread[d] = sink * fabs(out[d]);
  }
  if (magnitude || spread) bound_row(&row, scores, slack, out, magnitude, spread);
  return result;
}

void oracle_core_steps(const OracleCore *core, size_t batch, size_t token, size_t head,
                       const OracleSteps *steps) {
  const Row row = open_row(core, batch, token, head);
  for (size_t j = 0; j < row.sequence.key_tokens; j++) {
    const double score = scaled_score(&row, j), capped = capped_score(&row, score);
    const double final = row_sees(&row, j) ? final_score(&row, j, capped) : -INFINITY;
    if (steps->scores) steps->scores[j] = score;
    if (steps->capped) steps->capped[j] = capped;
    if (steps->masked) steps->masked[j] = final;
    if (steps->weights) steps->weights[j] = final;
  }
  if (steps->weights) weigh_scores(steps->weights, row.sequence.key_limit, row_sink(&row));
  for (size_t j = row.sequence.key_limit; steps->weights && j < row.sequence.key_tokens; j++)
    steps->weights[j] = 0.0;
}

/* The sequence and the token in it of a row of the batch, by its place among its head's rows. */
static size_t find_sequence(const OracleCore *core, size_t place, size_t *token) {
  const size_t *const offsets = core->lengths.query_offsets;
  size_t batch = 0;
  if (!offsets) {
    *token = place % core->query_tokens;
    return place / core->query_tokens;
  }
  while (offsets[batch + 1] <= place) batch++;
  *token = place - offsets[batch];
  return batch;
}

bool oracle_core(const OracleCore *core, double *out, double *magnitude, double *spread,
                 OracleRow *rows) {
  const bool ragged = core->lengths.query_offsets != NULL;
  const size_t places = core->query_tokens * (ragged ? 1 : core->batch);
  bool complete = true;
#pragma omp parallel reduction(&& : complete)
  {
    double *const scores = malloc((2 * core->key_tokens + 1) * sizeof *scores);
    complete = scores != NULL;
#pragma omp for schedule(dynamic, 4)
    for (size_t index = 0; index < places * core->query_heads; index++) {
      if (!scores) continue;
      const size_t place = index / core->query_heads, head = index % core->query_heads;
      size_t token = 0;
      const size_t batch = find_sequence(core, place, &token);
      const size_t row = ragged ? head * places + place
                                : (batch * core->query_heads + head) * core->query_tokens + token;
      const size_t at = index * core->value_dim;
      rows[row] = oracle_core_row(core, batch, token, head, scores, out + at,
                                  magnitude ? magnitude + at : NULL, spread ? spread + at : NULL);
    }
    free(scores);
  }
  return complete;
}
