/* transformer_check.h - runs of the engine of examples/toy, held against the forward pass in
 * float64.
 *
 * How far logits may be off: four times what the oracle itself is off when every number in it is
 * rounded to float, the largest of all logits of the run. The engine rounds as often or less, but
 * in another order, and by how much two such errors differ is chance. In a lower precision or
 * storage the oracle rounds what these do as well: weights, keys and values as they are stored, and
 * the factors of the attention's products.
 */
#ifndef ATTEND_TESTS_TOY_TRANSFORMER_CHECK_H
#define ATTEND_TESTS_TOY_TRANSFORMER_CHECK_H

#include "examples/toy/toy_model.h"
#include "tests/support/support.h"
#include "tests/toy/oracle_transformer.h"

/* What a checkpoint goes on with: `given` tokens, then always the likeliest. */
typedef struct Expected {
  size_t given, count, vocabulary;
  size_t *tokens;  /* [count] */
  double *logits;  /* [count, vocabulary], after each token */
  double *gaps;    /* [count] from the largest logit to the next */
  double allowed;  /* how far a logit may be off */
  double smallest; /* of the gaps behind which a token was chosen */
} Expected;

/* By the oracle, from a llama2.c checkpoint; biases null for none. The prompt is token 1 and then
 * tokens from all over the vocabulary. */
Expected expect_continuation(const char *path, const OracleBiases *biases, size_t given,
                             size_t count);
void expected_free(Expected *expected);

/* Reads a model: checkpoint_read() or huggingface_read(). */
typedef bool (*ReadModel)(const char *path, AttendContext *context, AttendStorage storage,
                          Model *model, Complaint *complaint);

/* Through every engine with each size of chunk for the prompt, two threads where the chunk is odd.
 * Of the tokens chosen those are compared that no error within what is allowed can change. */
void check_engines(ReadModel read, const char *path, const Expected *expected, const size_t *chunks,
                   size_t chunk_count);

/* The same in a precision of the tiled path over weights and caches in a storage, on every ISA. */
typedef struct Coarseness {
  AttendPrecision precision;
  AttendStorage storage;
  /* Set: tokens that no error within what is allowed can change, of `count - given`; and that. */
  size_t compared;
  double allowed;
} Coarseness;
void check_coarse(ReadModel read, const char *path, const Expected *expected, size_t chunk,
                  Coarseness *how);

#endif
