/* gnuplot.h - gnuplot as a child process that reads a script and draws a picture.
 *
 * No shell is involved. Text from outside reaches a script only through gnuplot_quote().
 */
#ifndef ATTEND_SRC_CLI_UTIL_GNUPLOT_H
#define ATTEND_SRC_CLI_UTIL_GNUPLOT_H

#include <stdio.h>

typedef enum PlotOutcome {
  PLOT_DRAWN,
  PLOT_UNWRITABLE, /* errno says why */
  PLOT_NO_GNUPLOT, /* there is no gnuplot on this machine */
  PLOT_FAILED,     /* gnuplot has said why on stderr */
} PlotOutcome;

/* Writes text as a string of a script. Control characters become spaces. */
void gnuplot_quote(FILE *script, const char *text);

/* Runs gnuplot on a script that was just written and can be read again (a tmpfile()). The script
 * draws into `image`, which must be open for reading if it is a regular file: unless it ends as
 * an SVG or a PNG does, the outcome is PLOT_FAILED. */
PlotOutcome gnuplot_run(FILE *script, FILE *image);

#endif
