/* compare_report.h - the results of a comparison: speed-ups, and what limits each contender.
 *
 * The figures are those of the run's rows (bench/results.h); only the speed-up and the sentence are
 * made here. Every number in a sentence was measured, planned or asked of the machine in this run.
 */
#ifndef ATTEND_SRC_CLI_COMPARE_COMPARE_REPORT_H
#define ATTEND_SRC_CLI_COMPARE_COMPARE_REPORT_H

#include <stdio.h>

#include "bench/results.h"

#define COMPARE_SENTENCE_SIZE 640

/* How many times as fast as the first path at this length; 0 where one of the two has no time. */
double compare_speedup(const BenchRun *run, const BenchRow *row);

/* What limits a row that has samples; for a row without, why it has none. */
void compare_explain(const BenchRun *run, const BenchRow *row,
                     char sentence[static COMPARE_SENTENCE_SIZE]);

void compare_print_table(const BenchRun *run, FILE *stream);

/* One header line and one line per row, as report_csv() does it. */
void compare_print_csv(const BenchRun *run, FILE *stream);

#endif
