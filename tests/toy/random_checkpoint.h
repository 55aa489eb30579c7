/* random_checkpoint.h - files in the formats of llama2.c with made-up contents: the same for the
 * same sizes and seed on every machine. */
#ifndef ATTEND_TESTS_TOY_RANDOM_CHECKPOINT_H
#define ATTEND_TESTS_TOY_RANDOM_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct CheckpointSizes {
  int32_t width, hidden, layers, query_heads, kv_heads, vocabulary, context;
  bool separate_classifier;
  uint64_t seed;
} CheckpointSizes;

/* Random weights whose activations stay near 1 through the layers, and whose attention is neither
 * flat nor one key alone. False, with errno, if the file cannot be written. */
bool write_checkpoint(const char *path, const CheckpointSizes *sizes);

/* <unk>, <s>, </s>, the 256 bytes, then what is printable in ASCII, then words of two and three
 * letters whose scores fall. False, with errno, if the file cannot be written. */
bool write_tokenizer(const char *path, int32_t vocabulary);

#endif
