/* model_weights.h - random weights of one layer of a model, as the oracle reads them and packed.
 *
 * Reproducible from the seed, and of the size that trained models have: variance 1/in, norms around
 * 1. Queries are larger, by W_q or where there is a norm by its weights, which gives scores a
 * standard deviation of about 2, so that a softmax has something to choose from.
 */
#ifndef ATTEND_BENCH_MODEL_WEIGHTS_H
#define ATTEND_BENCH_MODEL_WEIGHTS_H

#include "bench/results.h"

/* Queries are larger by this factor than projections of x in [-1, 1) would be. */
#define QUERY_GAIN 6.0f

/* All null for a core. */
typedef struct ModelWeights {
  float *qkv, *output;                         /* [E, Hq*D + Hk*D + Hk*Dv], [Hq*Dv, E] */
  float *qkv_bias, *output_bias;               /* null where the model has none */
  float *query_norm, *key_norm;                /* likewise */
  AttendWeights *packed[ATTEND_STORAGE_COUNT]; /* in each storage that a row has */
} ModelWeights;

/* Fills the weights and packs them in the storages of the config's paths, with the model's RoPE;
 * does nothing for a core. On failure *weights is zero and reason (BENCH_REASON_SIZE) has the
 * sentence. */
bool weights_open(const BenchConfig *config, const AttendModel *model, ModelWeights *weights,
                  char *reason);
void weights_close(ModelWeights *weights);

#endif
