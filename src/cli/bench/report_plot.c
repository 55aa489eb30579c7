/* report_plot.c - the data file, and the script that draws it.
 *
 * A series is one model, number of threads and path over all lengths; it is one block of the data
 * file, found by its index. One line of panels per model: time, memory, share of the limit. A panel
 * without a single point is drawn empty, because gnuplot would refuse it. No text from
 * outside reaches the script unquoted.
 */
#include "cli/bench/report_plot.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define PANEL_WIDTH 460
#define PANEL_HEIGHT 400
#define TITLE_HEIGHT 40

static bool ends_with(const char *path, const char *ending) {
  const size_t length = strlen(path), tail = strlen(ending);
  return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

bool report_plot_accepts(const char *path) {
  return ends_with(path, ".svg") || ends_with(path, ".png");
}

bool report_plot_data_path(const char *path, char data_path[static PATH_MAX]) {
  const int stem = (int)strlen(path) - (int)strlen(".svg");
  return snprintf(data_path, PATH_MAX, "%.*s.dat", stem, path) < PATH_MAX;
}

bool report_plot_open(ReportPlot *plot, const char *path, const char **refused) {
  *plot = (ReportPlot){.svg = ends_with(path, ".svg")};
  *refused = path;
  if (!output_file_open(&plot->image, path)) return false;
  if (report_plot_data_path(path, plot->data_path) &&
      output_file_open(&plot->data, plot->data_path))
    return true;
  const int error = errno;
  output_file_discard(&plot->image);
  *refused = plot->data_path;
  errno = error;
  return false;
}

void report_plot_discard(ReportPlot *plot) {
  output_file_discard(&plot->image);
  output_file_discard(&plot->data);
}

/* One line of a picture: the rows of a model, number of threads and path, by length. */
typedef struct Series {
  const BenchRun *run;
  size_t model, thread, path;
} Series;

static const BenchRow *series_row(const Series *series, size_t length) {
  const BenchConfig *const config = series->run->config;
  const size_t group =
      (series->model * config->token_count + length) * config->thread_count + series->thread;
  return &series->run->rows[group * config->path_count + series->path];
}

static size_t series_index(const Series *series) {
  const BenchConfig *const config = series->run->config;
  return (series->model * config->thread_count + series->thread) * config->path_count +
         series->path;
}

typedef enum Panel { PANEL_TIME, PANEL_MEMORY, PANEL_SHARE, PANEL_COUNT } Panel;

static bool has_point(const Series *series, Panel panel, size_t length) {
  const BenchRow *const row = series_row(series, length);
  if (panel == PANEL_MEMORY) return row->scratch_bytes > 0;
  return row->samples.count > 0;
}

static bool has_points(const Series *series, Panel panel) {
  for (size_t n = 0; n < series->run->config->token_count; n++)
    if (has_point(series, panel, n)) return true;
  return false;
}

static bool has_scores(const Series *series) {
  for (size_t n = 0; n < series->run->config->token_count; n++)
    if (series_row(series, n)->score_bytes > 0) return true;
  return false;
}

/* "?" is how the script spells a figure that is missing. */
static void write_figure(FILE *stream, bool known, double value) {
  if (known)
    fprintf(stream, " %.9g", value);
  else
    fputs(" ?", stream);
}

static void write_series(const Series *series, FILE *stream) {
  const BenchConfig *const config = series->run->config;
  fprintf(stream, "# %s, %zu thread(s), %s, %s\n", config->models[series->model].name,
          series_row(series, 0)->threads, attend_path_name(config->paths[series->path]),
          attend_precision_name(config_precision(config, series->path)));
  for (size_t n = 0; n < config->token_count; n++) {
    const BenchRow *const row = series_row(series, n);
    const bool timed = has_point(series, PANEL_TIME, n);
    const bool planned = has_point(series, PANEL_MEMORY, n);
    fprintf(stream, "%zu", row->tokens);
    write_figure(stream, timed, row_seconds(row));
    write_figure(stream, timed, samples_min(&row->samples));
    write_figure(stream, planned && row->score_bytes > 0, (double)row->score_bytes);
    write_figure(stream, planned, (double)row->scratch_bytes);
    write_figure(stream, timed && row_compute_seconds(row) > 0, 100 * row_peak_share(row));
    write_figure(stream, timed && row->yardsticks->read_gbps > 0, 100 * row_read_share(row));
    fputc('\n', stream);
  }
  fputs("\n\n", stream);
}

/* Calls visit for every series of the model, in the order of their indices. */
static void each_series(const BenchRun *run, size_t model,
                        void (*visit)(const Series *series, FILE *stream), FILE *stream) {
  for (size_t t = 0; t < run->config->thread_count; t++)
    for (size_t p = 0; p < run->config->path_count; p++) {
      const Series series = {run, model, t, p};
      visit(&series, stream);
    }
}

static void write_data(const BenchRun *run, FILE *stream) {
  fputs("# N, seconds of a call (median, least), bytes of score matrices, bytes of scratch, "
        "percent of "
        "the FMA peak, percent of the read bandwidth; ? where there is none\n",
        stream);
  for (size_t m = 0; m < run->config->model_count; m++) each_series(run, m, write_series, stream);
}

static bool is_serial(const Series *series) {
  const BenchConfig *const config = series->run->config;
  return config->serial && config->serial[series->path];
}

/* Paths and precisions by colour, numbers of threads by the shape of their points; a serial path
 * has both of its own. */
static const char *series_colour(const Series *series) {
  static const char *const colours[] = {"#555555", "#0072b2", "#d55e00", "#009e73", "#f0e442"};
  static const char *const precise[ATTEND_PRECISION_COUNT] = {[ATTEND_PRECISION_BF16X6] = "#56b4e9",
                                                              [ATTEND_PRECISION_BF16X3] = "#e69f00",
                                                              [ATTEND_PRECISION_BF16] = "#c94a8c"};
  const AttendPrecision precision = config_precision(series->run->config, series->path);
  if (precise[precision]) return precise[precision];
  return is_serial(series) ? "#cc79a7"
                           : colours[series->run->config->paths[series->path] %
                                     (sizeof colours / sizeof *colours)];
}

static size_t series_points(const Series *series) {
  return is_serial(series) ? 13 : 7 + 2 * (series->thread % 4);
}

static void write_line(const Series *series, FILE *stream, const char *column, bool dashed) {
  const size_t threads = series_row(series, 0)->threads;
  const AttendPath path = series->run->config->paths[series->path];
  const AttendPrecision precision = config_precision(series->run->config, series->path);
  const bool named = precision != ATTEND_PRECISION_FP32;
  fprintf(stream, "data index %zu using 1:%s with linespoints lw 2 dt %d pt %zu lc rgb '%s' ",
          series_index(series), column, dashed ? 2 : 1, series_points(series),
          series_colour(series));
  if (dashed)
    fputs("notitle", stream);
  else
    fprintf(stream, "title '%s%s%s, %zu thread%s'", attend_path_name(path), named ? " " : "",
            named ? attend_precision_name(precision) : "", threads, threads == 1 ? "" : "s");
  fputs(", \\\n  ", stream);
}

static void write_time_line(const Series *series, FILE *stream) {
  if (has_points(series, PANEL_TIME)) write_line(series, stream, "2", false);
}

static void write_memory_line(const Series *series, FILE *stream) {
  if (!has_points(series, PANEL_MEMORY)) return;
  write_line(series, stream, "5", false);
  if (has_scores(series)) write_line(series, stream, "4", true);
}

static void write_share_line(const Series *series, FILE *stream) {
  const bool decode = series->run->config->mode == BENCH_DECODE;
  if (has_points(series, PANEL_SHARE)) write_line(series, stream, decode ? "7" : "6", false);
}

static bool panel_has_points(const BenchRun *run, size_t model, Panel panel) {
  for (size_t t = 0; t < run->config->thread_count; t++)
    for (size_t p = 0; p < run->config->path_count; p++) {
      const Series series = {run, model, t, p};
      if (has_points(&series, panel)) return true;
    }
  return false;
}

/* What a panel shows of a row; 0 for nothing. `least` picks the smaller of two lines of a path. */
static double panel_value(const BenchRow *row, Panel panel, bool least) {
  if (panel == PANEL_TIME) return row_seconds(row);
  return (double)(least && row->score_bytes ? row->score_bytes : row->scratch_bytes);
}

/* The range of a logarithmic axis, out to whole powers of `base` on both sides, so that its ends
 * have labels and a single point has room. Gnuplot warns about a single point if it chooses the
 * range itself.
 */
static void write_log_range(const BenchRun *run, size_t model, Panel panel, double base,
                            FILE *stream) {
  double low = INFINITY, high = 0;
  const size_t count = run->row_count / run->config->model_count;
  for (size_t r = model * count; r < (model + 1) * count; r++) {
    const double least = panel_value(&run->rows[r], panel, true);
    if (least > 0) low = fmin(low, least);
    high = fmax(high, panel_value(&run->rows[r], panel, false));
  }
  if (high <= 0) return;
  low = pow(base, floor(log(low) / log(base)));
  high = pow(base, ceil(log(high) / log(base)));
  if (high <= low) high = low * base;
  /* Slightly wider, because rounding could otherwise drop the label at an end. */
  fprintf(stream, "set yrange [%.17g:%.17g]\n", low / 1.001, high * 1.001);
}

/* Every third power of two, spelled out: gnuplot's own prefixes print 256 KiB as 255. */
static void write_byte_labels(FILE *stream) {
  static const char units[][4] = {"B", "KiB", "MiB", "GiB", "TiB"};
  fputs("set ytics (", stream);
  for (unsigned power = 0; power < 50; power += 3)
    fprintf(stream, "%s'%u %s' %.0f", power ? ", " : "", 1u << power % 10, units[power / 10],
            ldexp(1, (int)power));
  fputs(")\n", stream);
}

static void write_axes(const BenchRun *run, size_t model, Panel panel, FILE *stream) {
  switch (panel) {
  case PANEL_TIME:
    fputs("set ylabel 'time of a call'\nset logscale y 10\nset format y '%.0s %cs'\n"
          "set ytics auto\n",
          stream);
    write_log_range(run, model, panel, 10, stream);
    break;
  case PANEL_MEMORY:
    fputs("set ylabel 'scratch (dashed: score matrices in it)'\nset logscale y 2\n", stream);
    write_byte_labels(stream);
    write_log_range(run, model, panel, 8, stream);
    break;
  default:
    fprintf(stream,
            "set ylabel 'share of %s'\nunset logscale y\nset format y '%%.0f%%%%'\n"
            "set ytics auto\nset yrange [0:100<*]\n",
            run->config->mode == BENCH_DECODE ? "the read bandwidth" : "the fp32 FMA peak");
    break;
  }
}

static void write_panel(const BenchRun *run, size_t model, Panel panel, FILE *stream) {
  static void (*const lines[PANEL_COUNT])(const Series *, FILE *) = {
      write_time_line, write_memory_line, write_share_line};
  write_axes(run, model, panel, stream);
  fputs("set title ", stream);
  gnuplot_quote(stream, run->config->models[model].name);
  fputc('\n', stream);
  if (panel_has_points(run, model, panel)) {
    fputs("plot ", stream);
    each_series(run, model, lines[panel], stream);
    /* Ends the list after the comma of its last line. */
    fputs(panel == PANEL_SHARE ? "100 with lines lc rgb '#888888' notitle\n" : "NaN notitle\n",
          stream);
  } else {
    fputs("set yrange [1:2]\nset label 1 'nothing was measured' at graph 0.5, 0.5 center\n"
          "plot NaN notitle\nunset label 1\n",
          stream);
  }
}

static void write_terminal(const ReportPlot *plot, const BenchRun *run, FILE *stream) {
  const size_t height = PANEL_HEIGHT * run->config->model_count + TITLE_HEIGHT;
  if (plot->svg)
    fprintf(stream, "set terminal svg noenhanced size %d,%zu font 'sans,12' background 'white'\n",
            PANEL_COUNT * PANEL_WIDTH, height);
  else
    fprintf(stream, "set terminal pngcairo noenhanced size %d,%zu font 'sans,10'\n",
            PANEL_COUNT * PANEL_WIDTH, height);
  fputs("set output ", stream);
  gnuplot_quote(stream, *plot->image.temporary ? plot->image.temporary : plot->image.path);
  fputs("\ndata = ", stream);
  gnuplot_quote(stream, plot->data_path);
  fprintf(stream,
          "\nset datafile missing '?'\nset grid back lc rgb '#dddddd' lt 1\nset border 3\n"
          "set tics nomirror\nset key below horizontal maxcols %zu samplen 2 height 1\n",
          run->config->path_count);
}

static void write_lengths(const BenchConfig *config, FILE *stream) {
  const size_t last = config->token_count - 1;
  fprintf(stream, "set xlabel '%s'\nset logscale x 2\nset xrange [%g:%g]\nset xtics (",
          config->mode == BENCH_DECODE ? "keys N" : "tokens N", (double)config->tokens[0] / 1.3,
          (double)config->tokens[last] * 1.3);
  /* A dozen labels fit side by side. */
  const size_t step = 1 + last / 12;
  for (size_t n = 0; n <= last; n += step)
    fprintf(stream, "%s%zu", n ? ", " : "", config->tokens[n]);
  fputs(")\n", stream);
}

static void write_script(const ReportPlot *plot, const BenchRun *run, FILE *stream) {
  const BenchConfig *const config = run->config;
  char title[512], chunk[48] = "";
  if (config->chunk) snprintf(chunk, sizeof chunk, " in chunks of %zu", config->chunk);
  snprintf(title, sizeof title, "attend %s: %s, %s%s, %s, B = %zu, %s, OpenBLAS %s%s", run->command,
           bench_part_name(config->part), bench_mode_name(config->mode), chunk,
           config->causal ? "causal" : "bidirectional", config->batch, run->machine.processor,
           run->machine.blas_core, run->interrupted ? ", interrupted" : "");
  write_terminal(plot, run, stream);
  write_lengths(config, stream);
  fprintf(stream, "set multiplot layout %zu,%d title ", config->model_count, (int)PANEL_COUNT);
  gnuplot_quote(stream, title);
  fputc('\n', stream);
  for (size_t m = 0; m < config->model_count; m++)
    for (int panel = 0; panel < PANEL_COUNT; panel++) write_panel(run, m, (Panel)panel, stream);
  fputs("unset multiplot\nunset output\n", stream);
}

static PlotOutcome draw(const ReportPlot *plot, const BenchRun *run) {
  FILE *const script = tmpfile();
  if (!script) return PLOT_UNWRITABLE;
  write_script(plot, run, script);
  const PlotOutcome outcome = gnuplot_run(script, plot->image.stream);
  fclose(script);
  return outcome;
}

PlotOutcome report_plot_write(ReportPlot *plot, const BenchRun *run) {
  write_data(run, plot->data.stream);
  PlotOutcome outcome = PLOT_UNWRITABLE;
  if (output_file_commit(&plot->data)) {
    outcome = draw(plot, run);
    if (outcome == PLOT_DRAWN && !output_file_commit(&plot->image)) outcome = PLOT_UNWRITABLE;
  }
  const int error = errno;
  report_plot_discard(plot);
  errno = error;
  return outcome;
}
