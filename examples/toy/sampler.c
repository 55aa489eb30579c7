/* sampler.c - greedy choice, temperature and top-p (nucleus sampling, Holtzman et al. 2020). */
#include "sampler.h"

#include <math.h>
#include <stdlib.h>

bool sampler_open(Sampler *sampler, const SamplerSettings *settings, size_t vocabulary) {
  *sampler = (Sampler){*settings, settings->seed, vocabulary, NULL};
  sampler->candidates = calloc(vocabulary, sizeof *sampler->candidates);
  return sampler->candidates != NULL;
}

void sampler_close(Sampler *sampler) {
  free(sampler->candidates);
  sampler->candidates = NULL;
}

/* Uniform in [0, 1) (SplitMix64, Steele, Lea and Flood 2014). */
static double draw(Sampler *sampler) {
  uint64_t z = sampler->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* The first of the largest; `count` if a logit is NaN or the largest is not finite. */
static size_t find_largest(const float *logits, size_t count) {
  size_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    if (isnan(logits[i])) return count;
    if (logits[i] > logits[largest]) largest = i;
  }
  return isfinite(logits[largest]) ? largest : count;
}

/* Likeliest first; of equals the smaller token, so that the order is one and the same
 * everywhere. */
static int compare_candidates(const void *a, const void *b) {
  const Candidate *x = a, *y = b;
  if (x->probability != y->probability) return x->probability > y->probability ? -1 : 1;
  return (x->token > y->token) - (x->token < y->token);
}

/* Fills the candidates with e^((logit - largest) / temperature) and returns the sum. */
static double weigh_tokens(Sampler *sampler, const float *logits, float largest) {
  double sum = 0;
  for (size_t i = 0; i < sampler->vocabulary; i++) {
    const double weight =
        exp(((double)logits[i] - (double)largest) / sampler->settings.temperature);
    sampler->candidates[i] = (Candidate){weight, i};
    sum += weight;
  }
  return sum;
}

size_t sampler_pick(Sampler *sampler, const float *logits) {
  const size_t largest = find_largest(logits, sampler->vocabulary);
  if (largest == sampler->vocabulary || sampler->settings.temperature <= 0) return largest;

  Candidate *candidates = sampler->candidates;
  size_t count = sampler->vocabulary;
  double sum = weigh_tokens(sampler, logits, logits[largest]);
  if (sampler->settings.top_p < 1) {
    const double enough = sampler->settings.top_p * sum;
    qsort(candidates, count, sizeof *candidates, compare_candidates);
    sum = 0;
    for (count = 0; count < sampler->vocabulary && sum < enough; count++)
      sum += candidates[count].probability;
  }
  double left = draw(sampler) * sum;
  for (size_t i = 0; i < count; i++) {
    left -= candidates[i].probability;
    if (left < 0) return candidates[i].token;
  }
  return largest; /* rounding left a rest behind the last candidate */
}
