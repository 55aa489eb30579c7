/* oracle_transformer.h - a transformer in float64, to hold the engine of examples/toy against.
 *
 * Shares no code, type or header with the engine and the library. Token by token and number by
 * number, as the formulas read; it reads llama2.c checkpoints itself and trusts them.
 */
#ifndef ATTEND_TESTS_TOY_ORACLE_TRANSFORMER_H
#define ATTEND_TESTS_TOY_ORACLE_TRANSFORMER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct OracleTransformer OracleTransformer;

/* Biases of W_q, W_k and W_v, which the format does not have: [layers, out] each. */
typedef struct OracleBiases {
  const float *query, *key, *value;
} OracleBiases;

/* How coarse the numbers are. All zero: doubles. */
typedef struct OracleRounding {
  bool
      in_float; /* every number is rounded to float as soon as it is computed, sums after each term:
                       what plain loops in fp32 would give */
  int stored_bits; /* significant bits of the attention's weights, and of keys and values as they are
                       kept; 0: all */
  int operand_bits; /* of both factors of the attention's products, projections included; 0: all */
} OracleRounding;

/* Reads a checkpoint, or returns null. biases may be null. */
OracleTransformer *oracle_transformer_open(const char *path, const OracleBiases *biases,
                                           OracleRounding rounding);
void oracle_transformer_close(OracleTransformer *oracle);

size_t oracle_transformer_vocabulary(const OracleTransformer *oracle);
size_t oracle_transformer_context(const OracleTransformer *oracle);

/* Appends a token and returns the logits [vocabulary] of the next, valid until the next call. */
const double *oracle_transformer_feed(OracleTransformer *oracle, size_t token);

/* The first of the largest of `count` logits. */
size_t oracle_largest(const double *logits, size_t count);

#endif
