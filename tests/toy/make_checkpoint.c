/* make_checkpoint.c - writes a random checkpoint, and a tokenizer for it, in the formats of
 * llama2.c.
 *
 *   make_checkpoint CHECKPOINT TOKENIZER [NAME=NUMBER...]
 *
 * NAME is width, hidden, layers, heads, kv_heads, vocabulary, context, separate (0 or 1: a
 * classifier apart from the embedding) or seed; the defaults make a model of 0.2 MB. The widths of
 * Qwen2.5-0.5B with two of its layers and an eighth of its vocabulary, 190 MB:
 *
 *   make_checkpoint FILE FILE width=896 hidden=4864 layers=2 heads=14 kv_heads=2 vocabulary=18992
 *                   context=4096
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/toy/random_checkpoint.h"

static bool take(const char *argument, CheckpointSizes *sizes) {
  const struct {
    const char *name;
    int32_t *field;
  } fields[] = {
      {"width", &sizes->width},       {"hidden", &sizes->hidden},
      {"layers", &sizes->layers},     {"heads", &sizes->query_heads},
      {"kv_heads", &sizes->kv_heads}, {"vocabulary", &sizes->vocabulary},
      {"context", &sizes->context},
  };
  const char *const equals = strchr(argument, '=');
  if (!equals) return false;
  const size_t length = (size_t)(equals - argument);
  const unsigned long value = strtoul(equals + 1, NULL, 10);
  if (strncmp(argument, "seed=", 5) == 0) return sizes->seed = value, true;
  if (strncmp(argument, "separate=", 9) == 0) return sizes->separate_classifier = value > 0, true;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strlen(fields[i].name) != length || strncmp(fields[i].name, argument, length) != 0)
      continue;
    *fields[i].field = (int32_t)value;
    return value > 0 && value <= INT32_MAX;
  }
  return false;
}

int main(int argc, char **argv) {
  CheckpointSizes sizes = {48, 80, 3, 6, 2, 400, 256, false, 1};
  if (argc < 3) {
    fprintf(stderr, "usage: make_checkpoint CHECKPOINT TOKENIZER [NAME=NUMBER...]\n");
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    if (take(argv[i], &sizes)) continue;
    fprintf(stderr, "make_checkpoint: \"%s\" is no NAME=NUMBER\n", argv[i]);
    return 2;
  }
  if (write_checkpoint(argv[1], &sizes) && write_tokenizer(argv[2], sizes.vocabulary)) return 0;
  fprintf(stderr, "make_checkpoint: %s\n", strerror(errno));
  return 1;
}
