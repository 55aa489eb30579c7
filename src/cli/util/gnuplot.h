/* gnuplot.h - gnuplot as a child process that reads a script and draws a picture.
 *
 * No shell is involved, and no text from outside may reach a script but through gnuplot_quote().
 */
#ifndef BENCH_GNUPLOT_H
#define BENCH_GNUPLOT_H

#include <stdio.h>

typedef enum PlotOutcome {
  PLOT_DRAWN,
  PLOT_UNWRITABLE, /* errno says why */
  PLOT_NO_GNUPLOT, /* there is no gnuplot on this machine */
  PLOT_FAILED,     /* gnuplot has said why on stderr */
} PlotOutcome;

/* Writes text as a string of a script. Control characters become spaces. */
void gnuplot_quote(FILE *script, const char *text);

/* Runs gnuplot on a script that was just written and can be read again (a tmpfile()). `image` is
 * the file that the script draws into, under whatever name, open for reading too if it is a regular
 * one; if it does not end as a picture does, it was not drawn. */
PlotOutcome gnuplot_run(FILE *script, FILE *image);

#endif
