/* core_options.h - a case's options as the library takes them, with the arrays that they point
 * to. */
#ifndef ATTEND_TESTS_SUPPORT_CORE_OPTIONS_H
#define ATTEND_TESTS_SUPPORT_CORE_OPTIONS_H

#include "bench/oracle/oracle.h"
#include "tests/support/core_case.h"

/* What a case's AttendOptions point to. Null where the case does not ask for it. */
typedef struct OptionData {
  float *bias;   /* guarded; what no index reaches is NaN */
  uint8_t *mask; /* guarded */
  size_t bias_count;
  float *alibi_slopes, *sinks;
  size_t *key_lengths;
  int64_t *q_starts;
  size_t *query_offsets, *key_offsets;
} OptionData;

/* Sets *options and the arrays behind them from the case. */
OptionData option_data_new(const CoreCase *spec, AttendOptions *options);
void option_data_free(OptionData *data);

/* Options in the oracle's words. */
OracleScoring oracle_scoring(const AttendOptions *options);
OracleLengths oracle_lengths(const AttendOptions *options);

#endif
