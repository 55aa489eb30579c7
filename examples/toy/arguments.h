/* arguments.h - the command line of the engine. */
#ifndef TOY_ARGUMENTS_H
#define TOY_ARGUMENTS_H

#include <attend/attend.h>

#include "sampler.h"

#define EXIT_USAGE 2

typedef struct Arguments {
  const char *model;       /* a llama2.c checkpoint or a Hugging Face directory */
  const char *tokenizer;   /* null: tokens go in and out as numbers */
  const char *prompt;      /* null: none given */
  const char *tokens;      /* null: none given */
  bool numbers;            /* print tokens as numbers although there is a tokenizer */
  size_t steps;            /* SIZE_MAX: not given */
  size_t chunk;            /* SIZE_MAX: the whole prompt in one call */
  SamplerSettings sampler; /* how tokens are chosen */
  AttendSettings settings; /* path, ISA, precision, threads */
  AttendStorage storage;   /* of attention weights and caches */
} Arguments;

/* Returns true to go on. Else the program ends with *status: 0 after --help, or EXIT_USAGE after
 * one sentence on stderr. */
bool arguments_parse(int argc, char **argv, Arguments *arguments, int *status);

/* Reads a whole decimal number of at most `most` from the beginning of the text, and sets *end
 * behind it. */
bool parse_count(const char *text, size_t most, size_t *count, const char **end);

#endif
