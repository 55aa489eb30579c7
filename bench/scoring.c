/* scoring.c - combines the model's options with those of the command line; owns the data of masks,
 * biases, slopes and sinks, and the sizes of their random numbers.
 */
#include "bench/scoring.h"

#include <math.h>
#include <stdlib.h>

#include "bench/allocation.h"
#include "bench/random.h"

/* Of the size of the scores, which have a standard deviation of about 2. */
#define SINK_SCALE 4.0f
#define BIAS_SCALE 2.0f

/* Streams of random numbers, away from those of workload.c and model_weights.c. */
enum { STREAM_SINKS = 64, STREAM_MASK, STREAM_BIAS };

AttendOptions scoring_options(const BenchConfig *config, const AttendModel *model) {
  const BenchScores *const scores = &config->scores;
  AttendOptions options;
  attend_default_options(&options);
  attend_model_options(model, config->layer, &options);
  options.causal = config->causal;
  if (scores->has_window) {
    options.window_left = scores->window_left;
    options.window_right = scores->window_right;
  }
  if (scores->has_softcap) options.softcap = scores->softcap;
  return options;
}

double scoring_scale(const BenchConfig *config, const AttendModel *model) {
  const double scale = (double)scoring_options(config, model).scale;
  return scale != 0 ? scale : 1 / sqrt((double)model->shape.head_dim);
}

bool scoring_has_sinks(const BenchConfig *config, const AttendModel *model) {
  return config->scores.sinks || model->sinks;
}

/* 2^(-8 (h + 1) / Hq). */
static void fill_slopes(float *slopes, size_t heads) {
  for (size_t h = 0; h < heads; h++)
    slopes[h] = (float)exp2(-8.0 * (double)(h + 1) / (double)heads);
}

/* Bytes from random numbers in [-1, 1), a row at a time: `share` of them are 0. */
static bool fill_mask(const BenchConfig *config, size_t queries, size_t keys, uint8_t *mask) {
  const float threshold = (float)(2.0 * config->scores.mask_share - 1.0);
  float *const row = allocate_floats((double)keys);
  if (!row) return false;
  for (size_t i = 0; i < queries; i++) {
    random_fill(config->seed, ((uint64_t)STREAM_MASK << 32) + i, 1.0f, row, keys);
    for (size_t j = 0; j < keys; j++) mask[i * keys + j] = row[j] >= threshold;
  }
  free(row);
  return true;
}

double scoring_bytes(const BenchConfig *config, size_t queries, size_t keys) {
  static const size_t element[] = {[BENCH_MASK_RANDOM] = 1, [BENCH_MASK_BIAS] = sizeof(float)};
  return (double)element[config->scores.mask] * (double)queries * (double)keys;
}

bool scoring_open(const BenchConfig *config, const AttendModel *model, size_t queries, size_t keys,
                  ScoringData *data) {
  const size_t heads = model->shape.query_heads;
  const double pairs = (double)queries * (double)keys;
  const bool random = config->scores.mask == BENCH_MASK_RANDOM;
  const bool bias = config->scores.mask == BENCH_MASK_BIAS,
             sinks = scoring_has_sinks(config, model);
  *data = (ScoringData){.keys = keys};
  if (config->scores.alibi) data->alibi_slopes = allocate_floats((double)heads);
  if (sinks) data->sinks = allocate_floats((double)heads);
  if (random && allocation_fits(pairs)) data->mask = malloc(queries * keys);
  if (bias) data->bias = allocate_floats(pairs);
  const bool complete = (!config->scores.alibi || data->alibi_slopes) && (!sinks || data->sinks) &&
                        (!random || (data->mask && fill_mask(config, queries, keys, data->mask))) &&
                        (!bias || data->bias);
  if (!complete) {
    scoring_close(data);
    return false;
  }
  if (data->alibi_slopes) fill_slopes(data->alibi_slopes, heads);
  if (data->sinks) random_fill(config->seed, STREAM_SINKS, SINK_SCALE, data->sinks, heads);
  if (data->bias) random_fill(config->seed, STREAM_BIAS, BIAS_SCALE, data->bias, queries * keys);
  return true;
}

void scoring_close(ScoringData *data) {
  free(data->alibi_slopes);
  free(data->sinks);
  free(data->mask);
  free(data->bias);
  *data = (ScoringData){0};
}

void scoring_attach(const ScoringData *data, size_t first, AttendOptions *options) {
  options->alibi_slopes = data->alibi_slopes;
  options->sinks = data->sinks;
  if (data->mask)
    options->mask = (AttendMask){
        .data = data->mask + first * data->keys, .query_stride = data->keys, .key_stride = 1};
  if (data->bias)
    options->bias = (AttendBias){
        .data = data->bias + first * data->keys, .query_stride = data->keys, .key_stride = 1};
}
