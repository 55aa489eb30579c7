/* score_options.h - options that say what happens to the scores, in place of what a model says.
 *
 * Built like the shared options of options.h: rows of the struct option table, lines of the help,
 * and a function that takes the codes.
 */
#ifndef ATTEND_SRC_CLI_SCORE_OPTIONS_H
#define ATTEND_SRC_CLI_SCORE_OPTIONS_H

#include "bench/results.h"
#include "cli/options.h"

#define SCORE_OPTIONS                                                                              \
  {"window", required_argument, NULL, OPTION_WINDOW},                                              \
      {"softcap", required_argument, NULL, OPTION_SOFTCAP},                                        \
      {"alibi", no_argument, NULL, OPTION_ALIBI}, {"mask", required_argument, NULL, OPTION_MASK},  \
  {                                                                                                \
    "sinks", no_argument, NULL, OPTION_SINKS                                                       \
  }

#define SCORE_OPTIONS_HELP                                                                         \
  "  --window LEFT[,RIGHT]  keys seen before and after the query's own; none: no limit\n"          \
  "  --softcap X            scores are X tanh(score / X); 0: none\n"                               \
  "  --alibi                lowered with distance, by slopes 2^(-8h/HQ)\n"                         \
  "  --mask KIND            none (default), random:P (bytes that hide a share P of the pairs),\n"  \
  "                         or bias (a random number added to each)\n"                             \
  "  --sinks                one more logit per head, random\n"

OptionTaken take_score_option(BenchScores *scores, int code, const char *value);

/* The name of one of these options that was given, as "--window"; null if none was. */
const char *score_option_given(const BenchScores *scores);

#endif
