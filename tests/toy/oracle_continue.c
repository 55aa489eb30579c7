/* oracle_continue.c - what a llama2.c checkpoint goes on with, by the oracle: for shell tests.
 *
 *   oracle_continue CHECKPOINT STEPS ID...
 *
 * Prints the given tokens and STEPS more, always the likeliest, separated by spaces.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/toy/oracle_transformer.h"

int main(int argc, char **argv) {
  OracleTransformer *oracle =
      argc > 3 ? oracle_transformer_open(argv[1], NULL, (OracleRounding){0}) : NULL;
  if (!oracle) {
    fprintf(stderr, "usage: oracle_continue CHECKPOINT STEPS ID...\n");
    return 2;
  }
  const size_t vocabulary = oracle_transformer_vocabulary(oracle);
  const size_t given = (size_t)argc - 3, all = given + strtoul(argv[2], NULL, 10);
  size_t token = 0;
  for (size_t i = 0; i < all && i <= oracle_transformer_context(oracle); i++) {
    if (i < given) token = strtoul(argv[3 + i], NULL, 10);
    printf(i == 0 ? "%zu" : " %zu", token);
    if (token < vocabulary && i < oracle_transformer_context(oracle))
      token = oracle_largest(oracle_transformer_feed(oracle, token), vocabulary);
  }
  putchar('\n');
  oracle_transformer_close(oracle);
  return 0;
}
