/* report_words.c - owns the wording that the table, JSON and `attend compare` share. The figures
 * are the benchmark's.
 */
#include "cli/bench/report_words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "bench/scoring.h"
#include "cli/util/units.h"

static const char *plural(size_t count) {
  return count == 1 ? "" : "s";
}

static void write_excess(const Warning *warning, const char *limit, char *text) {
  const BenchRow *const row = warning->row;
  snprintf(text, REPORT_WARNING_SIZE,
           "%s, N = %zu, %s has %s of the %s of %zu thread%s at best: that was held down while it "
           "was measured, and shares of it are too high",
           row->model->name, row->tokens, attend_path_name(row->path),
           unit_share(warning->figure).text, limit, row->threads, plural(row->threads));
}

const char *report_warning(const BenchRun *run, const Warning *warning,
                           char text[static REPORT_WARNING_SIZE]) {
  const size_t cores = run->machine.cores, threads = warning->threads;
  switch (warning->kind) {
  case WARNING_CONTENTION:
    snprintf(text, REPORT_WARNING_SIZE,
             "other programs had %s of the time of the %zu core%s: times may be longer, and limits "
             "lower, than on a quiet machine",
             unit_share(warning->figure).text, cores, plural(cores));
    break;
  case WARNING_FEW_CORES:
    snprintf(text, REPORT_WARNING_SIZE,
             "%zu threads share %zu core%s: they wait for each other, and rows differ from run to "
             "run",
             threads, cores, plural(cores));
    break;
  case WARNING_SHARED_CORES:
    snprintf(text, REPORT_WARNING_SIZE,
             "%zu threads have %.2f times the FMA peak of one: the cores are shared, and rows "
             "differ from run to run",
             threads, warning->figure);
    break;
  case WARNING_SLOW_SGEMM:
    snprintf(text, REPORT_WARNING_SIZE,
             "sgemm on %zu threads is only %.2f times as fast as on one; shares of it say little "
             "in this run",
             threads, warning->figure);
    break;
  case WARNING_PEAK_BEATEN:
    snprintf(text, REPORT_WARNING_SIZE,
             "sgemm beats the FMA peak of %zu thread%s: the peak was held down while it was "
             "measured, and shares of it are too high",
             threads, plural(threads));
    break;
  case WARNING_PEAK_EXCEEDED:
    write_excess(warning, "FMA peak", text);
    break;
  case WARNING_READ_EXCEEDED:
    write_excess(warning, "read bandwidth", text);
    break;
  }
  return text;
}

/* Appends to text at *used, with a comma before all but the first. */
static void add(char *text, size_t *used, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *text, size_t *used, const char *format, ...) {
  va_list arguments;
  if (*used) *used += (size_t)snprintf(text + *used, REPORT_SCORES_SIZE - *used, ", ");
  va_start(arguments, format);
  *used += (size_t)vsnprintf(text + *used, REPORT_SCORES_SIZE - *used, format, arguments);
  va_end(arguments);
}

const char *report_scores(const BenchConfig *config, const AttendModel *model,
                          char text[static REPORT_SCORES_SIZE]) {
  const AttendOptions options = scoring_options(config, model);
  const BenchScores *const scores = &config->scores;
  size_t used = 0;
  text[0] = '\0';
  if (options.window_left >= 0) add(text, &used, "window left %" PRId64, options.window_left);
  if (options.window_right >= 0) add(text, &used, "window right %" PRId64, options.window_right);
  if (options.softcap > 0) add(text, &used, "softcap %g", (double)options.softcap);
  if (scores->alibi) add(text, &used, "ALiBi");
  if (scoring_has_sinks(config, model)) add(text, &used, "sinks");
  if (scores->mask == BENCH_MASK_RANDOM) add(text, &used, "mask random:%g", scores->mask_share);
  if (scores->mask == BENCH_MASK_BIAS) add(text, &used, "random bias");
  return text;
}
