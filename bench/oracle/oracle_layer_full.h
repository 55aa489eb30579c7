/* oracle_layer_full.h - a whole attention layer of a published model, in double.
 *
 * One sequence at a time and all of its tokens at once: what a cache, a chunk or a ragged batch
 * makes of it must be the same rows. It shares nothing with the library, nor with the oracle of the
 * core.
 */
#ifndef ATTEND_BENCH_ORACLE_ORACLE_LAYER_FULL_H
#define ATTEND_BENCH_ORACLE_ORACLE_LAYER_FULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/oracle/oracle_rope.h"

typedef struct OracleFull {
  size_t width, query_heads, kv_heads, head_dim, value_dim;
  const float *qkv, *qkv_bias;        /* [E, Hq*D + Hk*D + Hk*Dv]; bias null or as wide */
  const float *output, *output_bias;  /* [Hq*Dv, E] */
  const float *query_norm, *key_norm; /* [D] or null */
  double norm_epsilon;
  OracleRope rope;
  double scale;        /* 0: 1/sqrt(D) */
  double softcap;      /* 0: none */
  int64_t window_left; /* -1: none */
  bool causal;
  const float *sinks; /* [Hq] or null */
} OracleFull;

/* What a sequence gives; query and key may be null. */
typedef struct OracleFullResult {
  double *y;           /* [tokens, E] */
  double *query, *key; /* [tokens, Hq*D], [tokens, Hk*D], after norm and RoPE */
} OracleFullResult;

/* x [tokens, E]; positions [tokens] of RoPE, or null: 0, 1, 2, ... Returns false if memory ran
 * out. */
bool oracle_full(const OracleFull *layer, size_t tokens, const float *x, const int64_t *positions,
                 const OracleFullResult *result);

#endif
