/* score_options.h - options that say what happens to the scores, in place of what a model says. */
#ifndef ATTEND_SRC_CLI_UTIL_SCORE_OPTIONS_H
#define ATTEND_SRC_CLI_UTIL_SCORE_OPTIONS_H

#include "bench/results.h"
#include "cli/option_table.h"

/* Rows that fill BenchScores. */
extern const Option score_options[];

#endif
