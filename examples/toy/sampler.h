/* sampler.h - chooses the next token from its logits.
 *
 * The same seed gives the same choices from the same logits, on every machine.
 */
#ifndef TOY_SAMPLER_H
#define TOY_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SamplerSettings {
  double temperature; /* 0: always the most likely token (greedy) */
  double top_p;       /* (0, 1]: only the fewest likeliest tokens that reach this probability */
  uint64_t seed;
} SamplerSettings;

typedef struct Candidate {
  double probability;
  size_t token;
} Candidate;

typedef struct Sampler {
  SamplerSettings settings;
  uint64_t state;
  size_t vocabulary;
  Candidate *candidates; /* [vocabulary] scratch */
} Sampler;

/* False if there is no memory for it. */
bool sampler_open(Sampler *sampler, const SamplerSettings *settings, size_t vocabulary);

/* The next token, or the vocabulary itself if a logit is NaN or none is finite. */
size_t sampler_pick(Sampler *sampler, const float *logits);

void sampler_close(Sampler *sampler);

#endif
