/* report_words.h - what the reports say in words: warnings, and what a layer does to its scores. */
#ifndef ATTEND_SRC_CLI_BENCH_REPORT_WORDS_H
#define ATTEND_SRC_CLI_BENCH_REPORT_WORDS_H

#include "bench/warnings.h"

/* A warning of this run as a sentence without a full stop. Returns text. */
#define REPORT_WARNING_SIZE 256
const char *report_warning(const BenchRun *run, const Warning *warning,
                           char text[static REPORT_WARNING_SIZE]);

/* "window left 4096, softcap 50, sinks, mask random:0.5"; "" where scores are only scaled. Returns
 * text. */
#define REPORT_SCORES_SIZE 160
const char *report_scores(const BenchConfig *config, const AttendModel *model,
                          char text[static REPORT_SCORES_SIZE]);

#endif
