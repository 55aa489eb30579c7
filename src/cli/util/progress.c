/* progress.c - draws the line: a bar over rows, seconds so far, and what is being done.
 *
 * It promises no time that is left: rows differ in length by a factor of a thousand.
 */
#include "cli/util/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/timer.h"

#define BAR_WIDTH 24
#define LINE_WIDTH 79
#define CLEAR_LINE "\r\033[K"

/* A dumb terminal cannot erase a line. */
static bool can_erase(void) {
  const char *const terminal = getenv("TERM");
  return isatty(STDERR_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

/* Columns of the terminal, one of which stays free for the cursor: a line that wraps is not
 * erased. */
static int line_width(void) {
  struct winsize size;
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col - 1 : LINE_WIDTH;
}

void progress_start(Progress *progress, size_t total) {
  *progress = (Progress){can_erase(), 0, total, timer_seconds()};
}

void progress_show(const Progress *progress, const char *format, ...) {
  if (!progress->visible) return;
  char bar[BAR_WIDTH + 1];
  const size_t filled = progress->total ? BAR_WIDTH * progress->done / progress->total : 0;
  for (size_t i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
  bar[BAR_WIDTH] = '\0';
  char line[256];
  const int used = snprintf(line, sizeof line, "[%s] %zu/%zu rows, %.0f s, ", bar, progress->done,
                            progress->total, timer_seconds() - progress->start);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
  va_end(arguments);
  fprintf(stderr, CLEAR_LINE "%.*s", line_width(), line);
  fflush(stderr);
}

void progress_clear(const Progress *progress) {
  if (!progress->visible) return;
  fputs(CLEAR_LINE, stderr);
  fflush(stderr);
}
