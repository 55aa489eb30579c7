/* report_plot.h - a run as a picture, drawn by gnuplot.
 *
 * Two files belong to a plot: FILE.dat with the figures, and FILE.svg or FILE.png. The figures are
 * written whether or not there is a gnuplot on this machine.
 */
#ifndef ATTEND_SRC_CLI_BENCH_REPORT_PLOT_H
#define ATTEND_SRC_CLI_BENCH_REPORT_PLOT_H

#include "bench/results.h"
#include "cli/util/gnuplot.h"
#include "platform/output_file.h"

typedef struct ReportPlot {
  OutputFile image, data;
  char data_path[PATH_MAX];
  bool svg;
} ReportPlot;

/* Whether the name ends in .svg or .png, which decide the form of the picture. */
bool report_plot_accepts(const char *path);

/* Where the figures behind an accepted path go: FILE.dat. False if that is too long. */
bool report_plot_data_path(const char *path, char data_path[static PATH_MAX]);

/* Opens both files before the measurement. On failure nothing is left of them, errno says why and
 * *refused is the path that cannot be written. */
bool report_plot_open(ReportPlot *plot, const char *path, const char **refused);

/* Writes the data and has them drawn; without gnuplot, or if it fails, the data are written all the
 * same. Closes both files in any case. */
PlotOutcome report_plot_write(ReportPlot *plot, const BenchRun *run);

/* Leaves no trace of a plot that was opened and not written. Allowed on a zero struct. */
void report_plot_discard(ReportPlot *plot);

#endif
