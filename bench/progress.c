/* progress.c - draws the line: a bar over rows, seconds so far, and what is being done.
 *
 * It promises no time that is left: rows differ in length by a factor of a thousand.
 */
#include "bench/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/timer.h"

#define BAR_WIDTH 24
#define CLEAR_LINE "\r\033[K"

void progress_start(Progress *progress, size_t total) {
  *progress = (Progress){isatty(STDERR_FILENO) != 0, 0, total, timer_seconds()};
}

void progress_show(const Progress *progress, const char *format, ...) {
  if (!progress->visible) return;
  char bar[BAR_WIDTH + 1];
  const size_t filled = progress->total ? BAR_WIDTH * progress->done / progress->total : 0;
  for (size_t i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
  bar[BAR_WIDTH] = '\0';
  fprintf(stderr, CLEAR_LINE "[%s] %zu/%zu rows, %.0f s, ", bar, progress->done, progress->total,
          timer_seconds() - progress->start);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fflush(stderr);
}

void progress_clear(const Progress *progress) {
  if (!progress->visible) return;
  fputs(CLEAR_LINE, stderr);
  fflush(stderr);
}
