/* progress.h - one line on a terminal that says how far the run is.
 *
 * Nothing is printed unless stderr is a terminal that can erase, so that logs and pipes stay clean.
 * The line is cut at the terminal's width, and erased before anything else is printed.
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Progress {
  bool visible;
  size_t done, total; /* rows */
  double start;
} Progress;

void progress_start(Progress *progress, size_t total);

/* Shows a bar and what happens now ("llama-7b, N = 512: sampling"). */
void progress_show(const Progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Erases the line. */
void progress_clear(const Progress *progress);

#endif
