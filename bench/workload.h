/* workload.h - the inputs of one model at one length, and one call on them.
 *
 * Everything that differs between a layer and a core, a prefill and a decode step is in here, so
 * that measuring and verifying know one kind of call only. Inputs are random, reproducible from the
 * seed, and of the size that trained models have: x in [-1, 1), weights of variance 1/in. Queries
 * are six times as large, which gives scores a standard deviation of about 2, so that a softmax has
 * something to choose from.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/results.h"

/* A model's weights, as the oracle reads them and packed. All null for a core. */
typedef struct ModelWeights {
  float *qkv, *output;           /* [E, Hq*D + Hk*D + Hk*Dv], [Hq*Dv, E] */
  float *qkv_bias, *output_bias; /* null where the model has none */
  AttendWeights *packed;
} ModelWeights;

typedef struct Workload {
  const BenchConfig *config;
  const AttendModel *model;
  const ModelWeights *weights;
  size_t tokens;  /* N of the row */
  size_t queries; /* rows of x and of the output per sequence: N, or 1 in a decode step */
  size_t past;    /* tokens in the cache before a call; 0 without a cache */
  float *x;       /* layer [B, queries, E]; core: Q, [B, queries, Hq, D] */
  float *key;     /* core [B, Hk, N, D]; layer decode: the cache's [B, Hk, past, D]; else null */
  float *value;   /* likewise with Dv */
  size_t width;   /* floats of an output row: E, or Hq * Dv in a core */
  float *output;  /* [B, queries, width] */
  AttendCache *cache; /* layer decode; it holds `past` tokens between calls */
} Workload;

/* Fills and packs the weights; does nothing for a core. On failure *weights is zero and reason
 * (BENCH_REASON_SIZE) has the sentence. */
bool weights_open(const BenchConfig *config, const AttendModel *model, ModelWeights *weights,
                  char *reason);
void weights_close(ModelWeights *weights);

/* Fills the inputs at one length. On failure *workload is zero and reason has the sentence. */
bool workload_open(const BenchConfig *config, const AttendModel *model, const ModelWeights *weights,
                   size_t tokens, Workload *workload, char *reason);
void workload_close(Workload *workload);

/* One call on all of the workload, which leaves the cache as it was before. */
AttendStatus workload_call(const Workload *workload, AttendContext *context);

/* A shorter prefill on the same inputs: the first `queries` rows of x. Not for decode. */
AttendStatus workload_call_prefix(const Workload *workload, AttendContext *context, size_t queries);

/* The plan of workload_call(). */
AttendStatus workload_plan(const Workload *workload, AttendContext *context, AttendPlan *plan);

/* The options of workload_call(), and the view of K (dim D) or V (dim Dv) that it passes. */
AttendOptions workload_options(const Workload *workload);
AttendView workload_view(const Workload *workload, const float *data, size_t dim);

/* Bytes that a call must read or write: weights, input, output, and K and V where they come from
 * outside (a core, a cache), each once. A prefill layer makes K and V itself and need not store
 * them. */
double workload_bytes(const Workload *workload);

#endif
