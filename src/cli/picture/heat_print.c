/* heat_print.c - heat maps in a terminal.
 *
 * Without colour a cell is two blocks in one of five shades; with colour it has the colour. A
 * small map shows its numbers in front of the blocks, or on the colour. Escape sequences are
 * written only with colour. Text from outside passes through utf8_copy().
 */
#include "cli/picture/heat_map.h"

#include <math.h>

#include "cli/picture/heat_scale.h"
#include "cli/util/utf8.h"

#define NUMBER_COLUMNS 10 /* longer rows show no numbers */
#define NUMBER_WIDTH 6
#define MOST_CELLS 48 /* on a side, two characters each */
#define LABEL_COLUMNS 12
#define SCALE_STEPS 10
#define BLACK 16u
#define WHITE 231u
#define DARK_SHARE 0.55 /* white text from this shade on */

static void put_padded(FILE *file, const char *text, size_t width, bool right) {
  char fit[96];
  const size_t taken = utf8_copy(text, width, fit, sizeof fit);
  const int padding = (int)(width - taken);
  if (right) {
    fprintf(file, "%*s%s", padding, "", fit);
  } else {
    fprintf(file, "%s%*s", fit, padding, "");
  }
}

static void put_label(FILE *file, const char *const *labels, size_t index, size_t width,
                      bool right) {
  char number[24];
  snprintf(number, sizeof number, "%zu", index);
  put_padded(file, labels ? labels[index] : number, width, right);
}

static size_t label_width(const char *const *labels, size_t count) {
  char number[24];
  size_t width = (size_t)snprintf(number, sizeof number, "%zu", count - 1);
  for (size_t i = 0; labels && i < count; i++) {
    const size_t taken = utf8_columns(labels[i]);
    if (taken > width) width = taken;
  }
  return width < LABEL_COLUMNS ? width : LABEL_COLUMNS;
}

/* Two blocks; more ink is a larger value. */
static const char *blocks_of(const HeatScale *scale, double value) {
  static const char *const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  if (isnan(value)) return "??";
  if (value == -INFINITY) return "··";
  const double share = heat_share(scale, value);
  return shades[share < 1 ? (size_t)(share * 5) : 4];
}

/* The colours the terminal has now, so that a row of one colour sets them once. */
typedef struct Pen {
  FILE *file;
  bool colour;
  unsigned ground; /* 0: the terminal's own; no shade is 0 */
} Pen;

static void set_ground(Pen *pen, unsigned ground, bool dark) {
  if (pen->ground == ground) return;
  pen->ground = ground;
  if (ground == 0) {
    fputs("\x1b[0m", pen->file);
  } else {
    fprintf(pen->file, "\x1b[48;5;%u;38;5;%um", ground, dark ? WHITE : BLACK);
  }
}

static void put_cell(Pen *pen, const HeatScale *scale, double value, bool number) {
  const HeatNumber text = heat_number(scale, value);
  const bool marked = isnan(value) || value == -INFINITY;
  if (!pen->colour) {
    if (number) put_padded(pen->file, text.text, NUMBER_WIDTH, true);
    fputs(blocks_of(scale, value), pen->file);
    return;
  }
  const double share = marked ? 0 : heat_share(scale, value);
  set_ground(pen, marked ? 0 : heat_terminal_colour(share), share > DARK_SHARE);
  if (number) {
    put_padded(pen->file, text.text, NUMBER_WIDTH, true);
  } else {
    fputs(marked ? blocks_of(scale, value) : "  ", pen->file);
  }
}

static void put_heading(FILE *file, const HeatMap *map, size_t width, bool numbers, bool colour) {
  if (!numbers) return;
  fprintf(file, "   %*s ", (int)width, "");
  for (size_t c = 0; c < map->columns; c++) {
    put_label(file, map->column_labels, c, NUMBER_WIDTH - 1, true);
    fputs(colour ? " " : "   ", file);
  }
  fputc('\n', file);
}

static void put_map(FILE *file, const HeatMap *map, const HeatScale *scale, bool colour) {
  const bool numbers = map->columns <= NUMBER_COLUMNS;
  const size_t block = numbers ? 1 : heat_block(map, MOST_CELLS);
  const size_t columns = (map->columns + block - 1) / block;
  const size_t width = label_width(map->row_labels, map->rows);
  char title[256];
  utf8_copy(map->title, 72, title, sizeof title);
  fprintf(file, "   %s", title);
  if (block > 1) fprintf(file, " (a cell: the largest of %zu × %zu)", block, block);
  fputc('\n', file);
  put_heading(file, map, width, numbers, colour);
  for (size_t r = 0; r * block < map->rows; r++) {
    fputs("   ", file);
    put_label(file, map->row_labels, r * block, width, false);
    fputc(' ', file);
    Pen pen = {.file = file, .colour = colour};
    for (size_t c = 0; c < columns; c++)
      put_cell(&pen, scale, heat_cell(map, block, r, c), numbers);
    set_ground(&pen, 0, false);
    fputc('\n', file);
  }
}

static void put_scale(FILE *file, HeatKind kind, const HeatScale *scale, bool colour) {
  static const char *const names[HEAT_KINDS] = {"scores", "weights"};
  if (scale->least > scale->most) return;
  fprintf(file, "   %s: %s ", names[kind], heat_number(scale, scale->least).text);
  Pen pen = {.file = file, .colour = colour};
  const HeatScale steps = {.least = 0, .most = SCALE_STEPS - 1};
  for (int i = 0; i < SCALE_STEPS; i++) put_cell(&pen, &steps, i, false);
  set_ground(&pen, 0, false);
  fprintf(file, " %s%s%s\n", heat_number(scale, scale->most).text,
          scale->root ? ", shade: square root" : "", scale->hidden ? ", ·· hidden" : "");
}

void heat_sheet_print(const HeatSheet *sheet, bool colour, FILE *file) {
  HeatScale scales[HEAT_KINDS];
  for (int k = 0; k < HEAT_KINDS; k++) scales[k] = heat_scale(sheet, (HeatKind)k);
  for (size_t m = 0; m < sheet->count; m++) {
    if (m > 0) fputc('\n', file);
    put_map(file, &sheet->maps[m], &scales[sheet->maps[m].kind], colour);
  }
  for (int k = 0; k < HEAT_KINDS; k++) put_scale(file, (HeatKind)k, &scales[k], colour);
}
