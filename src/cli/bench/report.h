/* report.h - the forms in which a run is printed.
 *
 * All of them show the same figures (results.h) of the rows that were measured, skipped or failed;
 * rows that an interrupted run did not reach are counted, not shown.
 */
#ifndef ATTEND_SRC_CLI_BENCH_REPORT_H
#define ATTEND_SRC_CLI_BENCH_REPORT_H

#include <stdio.h>

#include "bench/results.h"

/* Raised when a member of the JSON form changes its meaning or goes away; see docs/bench-json.md.
 */
#define BENCH_SCHEMA_VERSION 3

/* For people: aligned tables of at most 120 columns. */
void report_table(const BenchRun *run, FILE *stream);

/* One header line and one line per row; RFC 4180, lines ended by CR LF. */
void report_csv(const BenchRun *run, FILE *stream);

/* One object, as docs/bench-json.md says. False if memory is missing; nothing is written then. */
bool report_json(const BenchRun *run, FILE *stream);

#endif
