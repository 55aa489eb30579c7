/* progress_line.h - one line on a terminal that says how far the run is.
 *
 * Nothing is printed unless stderr is a terminal that can erase, so that logs and pipes stay clean.
 * The line is cut at the terminal's width, and erased before anything else is printed.
 */
#ifndef ATTEND_SRC_CLI_BENCH_PROGRESS_LINE_H
#define ATTEND_SRC_CLI_BENCH_PROGRESS_LINE_H

#include "bench/progress.h"

typedef struct ProgressLine {
  bool visible;
  double start;
} ProgressLine;

/* The record to hand to a run; it draws on the line, which must outlive it. */
BenchProgress progress_line_open(ProgressLine *line);

/* Erases the line. */
void progress_line_close(const ProgressLine *line);

#endif
