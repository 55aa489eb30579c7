/* huggingface_copy.h - a llama2.c checkpoint written out as a Hugging Face directory. */
#ifndef ATTEND_TESTS_TOY_HUGGINGFACE_COPY_H
#define ATTEND_TESTS_TOY_HUGGINGFACE_COPY_H

#include <stdbool.h>

#include "tests/toy/oracle_transformer.h"

/* Writes config.json and model.safetensors into the directory: the same model, of the family qwen2
 * with these biases, or llama where they are null. Hugging Face rotates d with d + D/2 where llama2.c
 * rotates neighbours, so the rows of W_q and W_k stand in another order. Trusts the checkpoint; false
 * if something cannot be read or written. */
bool copy_to_huggingface(const char *checkpoint, const OracleBiases *biases, const char *directory);

#endif
