/* transformer.h - running a model over a sequence that grows.
 *
 * Owns the KV cache of every layer and the activations. Tokens that were fed stay: a prompt may be
 * fed in one call or in many, and decoding feeds one token at a time.
 */
#ifndef TOY_TRANSFORMER_H
#define TOY_TRANSFORMER_H

#include "toy_model.h"

typedef struct Transformer {
  const Model *model;
  AttendContext *context;
  size_t chunk; /* most tokens that go through the blocks together */
  AttendCache *caches[ATTEND_MODEL_LAYERS];
  float *residual;      /* [chunk, E] what the blocks add to */
  float *normed;        /* [chunk, E] */
  float *branch;        /* [chunk, E] what a block's half gives */
  float *gate, *hidden; /* [chunk, F] */
  float *logits;        /* [V] of the token that was fed last */
} Transformer;

/* Prepares for sequences of `capacity` tokens, fed in chunks of at most `chunk`. */
bool transformer_open(Transformer *transformer, const Model *model, AttendContext *context,
                      size_t capacity, size_t chunk, Complaint *complaint);

/* Appends tokens, each below the vocabulary, and leaves the logits after the last in ->logits. */
bool transformer_feed(Transformer *transformer, const size_t *tokens, size_t count,
                      Complaint *complaint);

void transformer_close(Transformer *transformer);

#endif
