/* full_layer.h - attention layers like those of published models, small, with random weights. */
#ifndef ATTEND_TESTS_SUPPORT_FULL_LAYER_H
#define ATTEND_TESTS_SUPPORT_FULL_LAYER_H

#include "bench/oracle/oracle_layer_full.h"
#include "tests/support/support.h"

/* What a model's layer does. */
typedef struct FullCase {
  const char *name;
  AttendLayerShape shape;
  const char *rope; /* a name of rope_models.h, or null */
  bool qkv_bias, output_bias, qk_norm, sinks;
  float scale, softcap;
  size_t window; /* keys that a token sees, its own included; 0: all before it */
} FullCase;

typedef struct FullLayer {
  FullCase spec;
  AttendRope rope;
  AttendOptions options; /* scale, softcap, window and sinks */
  float *qkv, *qkv_bias, *output, *output_bias, *query_norm, *key_norm, *sinks;
} FullLayer;

/* Layer number `index`, false beyond the last. */
bool full_layer_new(size_t index, FullLayer *layer);
void full_layer_free(FullLayer *layer);

/* Makes the weights of its matrices numbers that a storage holds exactly. */
void full_layer_store(FullLayer *layer, AttendStorage storage);

/* What the library is given, and the same for the oracle. */
AttendWeightSource full_layer_source(const FullLayer *layer);
AttendWeights *full_layer_pack(AttendContext *context, const FullLayer *layer);
OracleFull full_layer_oracle(const FullLayer *layer);

/* The oracle's Y [tokens, E] of one sequence; the caller frees it. */
double *full_layer_expect(const FullLayer *layer, size_t tokens, const float *x,
                          const int64_t *positions);

/* "gemma-2, path=tiled isa=avx2: what" */
#define FULL_LABEL_SIZE 160
const char *full_label(char text[static FULL_LABEL_SIZE], const FullLayer *layer, Engine engine,
                       const char *what);

#endif
