/* workload.h - the inputs of one model at one length, and one call on them.
 *
 * Everything that differs between a layer and a core, a prefill in one call or in chunks and a
 * decode step is in here, so that measuring and verifying know one kind of call only. Chunks and
 * decode steps go through a cache, a core's too: its keys are appended and then read, as an engine
 * does it. Inputs are random, reproducible from the seed: x, K and V in [-1, 1), a core's queries
 * QUERY_GAIN times as large.
 */
#ifndef ATTEND_BENCH_WORKLOAD_H
#define ATTEND_BENCH_WORKLOAD_H

#include "bench/model_weights.h"
#include "bench/results.h"
#include "bench/scoring.h"

typedef struct Workload {
  const BenchConfig *config;
  const AttendModel *model;
  const ModelWeights *weights;
  size_t tokens;  /* N of the row */
  size_t queries; /* rows of x and of the output per sequence: N, or 1 in a decode step */
  size_t step;    /* rows of a sequence that one call of the library takes: queries, or a chunk */
  size_t past;    /* tokens in the cache before the first call; 0 without a cache */
  float *x;       /* layer [B, queries, E]; core: Q, [B, queries, Hq, D] */
  float *staged;  /* x in the order of a layer's chunks, or null where that is x itself */
  float *key;     /* core [B, Hk, N, D]; layer decode: the cache's [B, Hk, past, D]; else null */
  float *value;   /* likewise with Dv */
  ScoringData scoring;
  size_t width;  /* floats of an output row: E, or Hq * Dv in a core */
  float *output; /* B * queries rows; see workload_output_row() */
  /* Chunks and decode: a cache in each storage that a row has, with `past` tokens between calls. */
  AttendCache *caches[ATTEND_STORAGE_COUNT];
  AttendStorage storage; /* that calls read */
  AttendWeights *packed; /* of that storage, or null; so is the cache */
  AttendCache *cache;
} Workload;

/* Fills the inputs at one length. On failure *workload is zero and reason has the sentence. */
bool workload_open(const BenchConfig *config, const AttendModel *model, const ModelWeights *weights,
                   size_t tokens, Workload *workload, char *reason);
void workload_close(Workload *workload);

/* The same inputs for calls that read weights and cache in this storage. It owns nothing, and is
 * valid until the workload is closed. workload_open() leaves that of the first path. */
Workload workload_stored(const Workload *workload, AttendStorage storage);

/* One pass over all of the workload, in one call of the library or in chunks, which leaves the
 * cache as it was before. */
AttendStatus workload_call(const Workload *workload, AttendContext *context);

/* A shorter prefill on the same inputs: the first `queries` rows of x. Not for decode. */
AttendStatus workload_call_prefix(const Workload *workload, AttendContext *context, size_t queries);

/* The plan of workload_call(). Of chunks it is the plan of the one that takes most scratch, with
 * the FLOPs of all. */
AttendStatus workload_plan(const Workload *workload, AttendContext *context, AttendPlan *plan);

/* The options of a call whose first query is row `first` of x, and the view of K (dim D) or V (dim
 * Dv) that the workload holds. q_start is 0 where a cache says the position. */
AttendOptions workload_options(const Workload *workload, size_t first);
AttendView workload_view(const Workload *workload, const float *data, size_t dim);

/* The row of the output where that of query `query` of a sequence stands. */
size_t workload_output_row(const Workload *workload, size_t sequence, size_t query);

/* Keys of a sequence that any query may see by its position. */
size_t workload_visible_keys(const Workload *workload);

/* Bytes that a pass in this precision must read or write: weights, input, output, and K and V of
 * visible keys where they come from outside (a core, a cache), each once. A prefill layer in one
 * call makes K and V itself and need not store them. Masks and biases are not counted. */
double workload_bytes(const Workload *workload, AttendPrecision precision);

#endif
