/* progress_line.c - puts a run's steps into words and draws the line: a bar over rows, seconds so
 * far, and what is being done.
 *
 * It does not estimate the time that is left, because rows differ in length by a factor of a
 * thousand.
 */
#include "cli/bench/progress_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/timer.h"

#define BAR_WIDTH 24
#define LINE_WIDTH 79
#define WORDS_SIZE 200
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

/* "llama-7b, N = 512, tiled: sample 3" */
static void describe(const BenchMoment *moment, char words[static WORDS_SIZE]) {
  const BenchRow *const row = moment->row;
  const char *const model = row ? row->model->name : "";
  const char *const path = row ? attend_path_name(row->path) : "";
  const size_t tokens = row ? row->tokens : 0, number = moment->number;
  switch (moment->step) {
  case BENCH_STEP_LIMITS:
    snprintf(words, WORDS_SIZE, "yardsticks with %zu thread%s", number, number == 1 ? "" : "s");
    break;
  case BENCH_STEP_WEIGHTS:
    snprintf(words, WORDS_SIZE, "%s: weights", model);
    break;
  case BENCH_STEP_INPUTS:
    snprintf(words, WORDS_SIZE, "%s, N = %zu: inputs", model, tokens);
    break;
  case BENCH_STEP_ORACLE:
    snprintf(words, WORDS_SIZE, "%s, N = %zu: oracle", model, tokens);
    break;
  case BENCH_STEP_WARM_UP:
    snprintf(words, WORDS_SIZE, "%s, N = %zu, %s: warm-up", model, tokens, path);
    break;
  case BENCH_STEP_SAMPLE:
    snprintf(words, WORDS_SIZE, "%s, N = %zu, %s: sample %zu", model, tokens, path, number);
    break;
  case BENCH_STEP_KERNEL:
    snprintf(words, WORDS_SIZE, "%s, %s", moment->kernel,
             moment->size ? moment->size : "no timing");
    break;
  }
}

static void draw(const BenchProgress *progress, const BenchMoment *moment) {
  const ProgressLine *const shown = progress->display;
  if (!shown->visible) return;
  char words[WORDS_SIZE], bar[BAR_WIDTH + 1], line[WORDS_SIZE + 96];
  const size_t filled = progress->total ? BAR_WIDTH * progress->done / progress->total : 0;
  for (size_t i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
  bar[BAR_WIDTH] = '\0';
  describe(moment, words);
  snprintf(line, sizeof line, "[%s] %zu/%zu rows, %.0f s, %s", bar, progress->done, progress->total,
           timer_seconds() - shown->start, words);
  fprintf(stderr, CLEAR_LINE "%.*s", line_width(), line);
  fflush(stderr);
}

BenchProgress progress_line_open(ProgressLine *line) {
  *line = (ProgressLine){can_erase(), timer_seconds()};
  return (BenchProgress){.show = draw, .display = line};
}

void progress_line_close(const ProgressLine *line) {
  if (!line->visible) return;
  fputs(CLEAR_LINE, stderr);
  fflush(stderr);
}
