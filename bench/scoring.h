/* scoring.h - what a workload does to its scores: the model's options, and those of the command
 * line in their place.
 *
 * Slopes are those of the ALiBi paper (Press et al. 2022); sinks, masks and biases are random,
 * reproducible from the seed. One mask or bias is shared by all sequences and heads.
 */
#ifndef ATTEND_BENCH_SCORING_H
#define ATTEND_BENCH_SCORING_H

#include "bench/results.h"

/* The scale, softcap, window and causality of a model's scores. Pointers to data stay null. */
AttendOptions scoring_options(const BenchConfig *config, const AttendModel *model);

/* The factor of q.k, the default put in. */
double scoring_scale(const BenchConfig *config, const AttendModel *model);

bool scoring_has_sinks(const BenchConfig *config, const AttendModel *model);

/* The data that options point to; null if there are none. */
typedef struct ScoringData {
  float *alibi_slopes, *sinks; /* [Hq] */
  uint8_t *mask;               /* [queries, keys] */
  float *bias;                 /* likewise */
  size_t keys;
} ScoringData;

/* The bytes that scoring_open() takes for a mask or a bias. */
double scoring_bytes(const BenchConfig *config, size_t queries, size_t keys);

/* Fills the data. False if memory is missing; *data is then zero. */
bool scoring_open(const BenchConfig *config, const AttendModel *model, size_t queries, size_t keys,
                  ScoringData *data);
void scoring_close(ScoringData *data);

/* Points the options to the data, to the mask or bias from row `first` on. */
void scoring_attach(const ScoringData *data, size_t first, AttendOptions *options);

#endif
