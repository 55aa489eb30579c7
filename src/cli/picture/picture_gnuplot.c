/* picture_gnuplot.c - a picture as a gnuplot script: one plot that fills the page, without axes.
 *
 * Boxes are the plot's data; lines are arrows, and texts are labels, every one quoted.
 */
#include "cli/picture/picture.h"

#include "cli/util/gnuplot.h"

#define POINTS_PER_PIXEL 0.75
#define OVERLAP 0.3 /* of neighbours without outlines, whose smoothed edges would show a seam */

/* One block of data: the boxes of a fill. Returns how many there are. */
static size_t write_data(const Picture *picture, PictureFill fill, FILE *script) {
  size_t count = 0;
  fprintf(script, "$boxes%d << END\n", (int)fill);
  for (size_t i = 0; i < picture->boxes.count; i++) {
    const PictureBox *const box = &picture->boxes.items[i];
    if (box->fill != fill) continue;
    const double over = box->outlined || fill != PICTURE_PLAIN ? 0 : OVERLAP;
    fprintf(script, "%.6g %.6g %.6g %.6g %.6g %.6g %u\n", box->x, box->y, box->x,
            box->x + box->width + over, box->y, box->y + box->height + over, (unsigned)box->colour);
    count++;
  }
  fputs("END\n", script);
  return count;
}

static void write_edge(double x1, double y1, double x2, double y2, double width, FILE *script) {
  fprintf(script, "set arrow from %.6g,%.6g to %.6g,%.6g nohead front lw %.3g lc rgb 'black'\n", x1,
          y1, x2, y2, width);
}

static void write_outline(const PictureBox *box, double width, FILE *script) {
  const double right = box->x + box->width, bottom = box->y + box->height;
  write_edge(box->x, box->y, right, box->y, width, script);
  write_edge(right, box->y, right, bottom, width, script);
  write_edge(right, bottom, box->x, bottom, width, script);
  write_edge(box->x, bottom, box->x, box->y, width, script);
}

static void write_line(const PictureLine *line, double width, FILE *script) {
  fprintf(script, "set arrow from %.6g,%.6g to %.6g,%.6g %s front lw %.3g dt %d lc rgb 'black'\n",
          line->x1, line->y1, line->x2, line->y2, line->arrow ? "head filled size 8,18" : "nohead",
          width, (int)line->dash + 1);
}

/* A formula in gnuplot's own notation: _{a} for _a. Formulas are the tool's own words and hold none
 * of the other signs of that notation. */
static void write_formula(const char *text, FILE *script) {
  char formula[2048];
  size_t length = 0;
  while (*text && length + 4 < sizeof formula) {
    const bool index = *text == '_' || *text == '^';
    formula[length++] = *text++;
    if (!index) continue;
    formula[length++] = '{';
    for (size_t left = picture_index_bytes(text); left && length + 2 < sizeof formula; left--)
      formula[length++] = *text++;
    formula[length++] = '}';
  }
  formula[length] = '\0';
  gnuplot_quote(script, formula);
}

static void write_text(const PictureWords *words, double scale, FILE *script) {
  static const char *const aligns[] = {"left", "center", "right"};
  const PictureText *const place = &words->place;
  fputs("set label ", script);
  if (place->formula) {
    write_formula(words->text, script);
  } else {
    gnuplot_quote(script, words->text);
  }
  fprintf(script, " at %.6g,%.6g %s front %s font 'sans%s,%.4g' textcolor rgb '#%06x'%s\n",
          place->x, place->y, aligns[place->align], place->formula ? "enhanced" : "noenhanced",
          place->bold ? ":Bold" : "", place->size * scale * POINTS_PER_PIXEL,
          (unsigned)place->colour, place->upwards ? " rotate by 90" : "");
}

/* The plot itself; a page without any box still needs one. */
static void write_plot(const size_t counts[static 3], FILE *script) {
  static const char *const styles[] = {"fs solid 1 noborder lc rgb variable",
                                       "fs pattern 4 noborder lc rgb '#888888'",
                                       "fs pattern 1 noborder lc rgb '#888888'"};
  fputs("plot NaN notitle", script);
  for (int fill = 0; fill < 3; fill++) {
    if (counts[fill] == 0) continue;
    fprintf(script, ", $boxes%d using 1:2:3:4:5:6%s with boxxyerror %s notitle", fill,
            fill == PICTURE_PLAIN ? ":7" : "", styles[fill]);
  }
  fputs("\nunset output\n", script);
}

void picture_write_gnuplot(const Picture *picture, double scale, const char *path, FILE *script) {
  fprintf(script, "set terminal pngcairo enhanced size %.0f,%.0f font 'sans'\nset output ",
          picture->width * scale, picture->height * scale);
  gnuplot_quote(script, path);
  fprintf(script,
          "\nset encoding utf8\nset xrange [0:%.6g]\nset yrange [%.6g:0]\nunset key\nunset tics\n"
          "unset border\nset lmargin at screen 0\nset rmargin at screen 1\n"
          "set bmargin at screen 0\nset tmargin at screen 1\n",
          picture->width, picture->height);
  size_t counts[3];
  for (int fill = 0; fill < 3; fill++) counts[fill] = write_data(picture, fill, script);
  for (size_t i = 0; i < picture->boxes.count; i++) {
    if (picture->boxes.items[i].outlined) write_outline(&picture->boxes.items[i], scale, script);
  }
  for (size_t i = 0; i < picture->lines.count; i++) {
    write_line(&picture->lines.items[i], 1.2 * scale, script);
  }
  for (size_t i = 0; i < picture->texts.count; i++) {
    write_text(&picture->texts.items[i], scale, script);
  }
  write_plot(counts, script);
}
