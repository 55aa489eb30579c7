/* matrix_print.c - owns the form of numbers, labels, bars and shades on a terminal.
 *
 * Every number of a matrix is first written into a small text, and the widest one sets the width of
 * all columns. Escape sequences are written only where a style asks for shades.
 */
#include "cli/explain/matrix_print.h"

#include <math.h>
#include <string.h>

#include "cli/util/utf8.h"

#define INDENT "     "
#define HEAT_COLUMNS 100
#define LARGEST_PER_ROW 3
#define ROWS_FULL 64 /* more rows are cut to the first and last few */
#define ROWS_END 8

#define COLOUR_END "\x1b[0m"

typedef struct Cell {
  char text[32];
} Cell;

void print_padded(FILE *file, const char *text, size_t width, bool right) {
  const size_t taken = utf8_columns(text);
  const int padding = taken < width ? (int)(width - taken) : 0;
  if (right) {
    fprintf(file, "%*s%s", padding, "", text);
  } else {
    fprintf(file, "%s%*s", text, padding, "");
  }
}

/* How the finite elements of a matrix are written. */
typedef enum NumberForm { FORM_WHOLE, FORM_FIXED, FORM_GENERAL } NumberForm;

static NumberForm form_of(const MatrixRange *range, int digits) {
  const double magnitude = fmax(fabs(range->least), fabs(range->most));
  if (range->least > range->most) return FORM_WHOLE;
  if (magnitude >= 1e7) return FORM_GENERAL;
  if (range->whole) return FORM_WHOLE;
  return magnitude >= pow(10, -digits) && magnitude < 1e5 ? FORM_FIXED : FORM_GENERAL;
}

static Cell write_number(float value, NumberForm form, int digits) {
  Cell cell;
  if (isinf(value)) {
    snprintf(cell.text, sizeof cell.text, "%s", value < 0 ? "-inf" : "inf");
  } else if (form == FORM_GENERAL) {
    snprintf(cell.text, sizeof cell.text, "%.*g", digits > 0 ? digits : 1, (double)value);
  } else {
    const int places = form == FORM_FIXED ? digits : 0;
    /* Rounding must not leave a minus sign before zeros. */
    const double unit = pow(10, -places), shown = (double)value;
    snprintf(cell.text, sizeof cell.text, "%.*f", places, fabs(shown) < unit / 2 ? 0.0 : shown);
  }
  return cell;
}

bool matrix_fits(const Matrix *matrix) {
  return matrix->rows <= MATRIX_PRINT_ROWS && matrix->columns <= MATRIX_PRINT_COLUMNS;
}

/* The share of the range that an element reaches: 0 least, 1 largest; negative if it is hidden. */
static double share_of(const MatrixRange *range, float value) {
  if (isinf(value) || isnan(value)) return value > 0 ? 1 : -1;
  const double least = range->least > 0 ? 0 : range->least, extent = range->most - least;
  return extent > 0 ? ((double)value - least) / extent : 0;
}

/* A step of the 256-colour cube from a dull blue to yellow. */
static int colour_of(double share) {
  static const int ramp[] = {60, 61, 97, 133, 169, 168, 203, 209, 215, 221, 228};
  const size_t last = sizeof ramp / sizeof *ramp - 1;
  const size_t step = (size_t)(share * (double)last + 0.5);
  return ramp[step < last ? step : last];
}

static void print_block(FILE *file, double share) {
  static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (share < 0) {
    fputs("·", file);
    return;
  }
  const size_t step = (size_t)(share * 7.999);
  fprintf(file, "\x1b[38;5;%dm%s" COLOUR_END, colour_of(share), blocks[step < 8 ? step : 7]);
}

void print_bar(FILE *file, double share, size_t width, bool colour) {
  static const char *const ends[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double bounded = share > 0 ? (share < 1 ? share : 1) : 0;
  const size_t eighths = (size_t)(bounded * 8 * (double)width + 0.5);
  if (colour) fprintf(file, "\x1b[38;5;%dm", colour_of(0.3 + 0.7 * bounded));
  for (size_t i = 0; i < eighths / 8; i++) fputs("█", file);
  fputs(ends[eighths % 8], file);
  if (colour) fputs(COLOUR_END, file);
}

static size_t label_width(const LessonLabel *labels, size_t count) {
  size_t width = 0;
  for (size_t i = 0; labels != NULL && i < count; i++) {
    const size_t one = utf8_columns(labels[i].text);
    if (one > width) width = one;
  }
  return width;
}

/* What all rows share. */
typedef struct Columns {
  const MatrixStyle *style;
  MatrixRange range;
  NumberForm form;
  size_t label, width;
} Columns;

static Columns measure_columns(const Matrix *matrix, const MatrixStyle *style) {
  Columns columns = {.style = style, .range = matrix_range(matrix)};
  columns.form = form_of(&columns.range, style->digits);
  columns.label = label_width(style->row_labels, matrix->rows);
  columns.width = label_width(style->column_labels, matrix->columns);
  for (size_t i = 0; i < matrix->rows * matrix->columns; i++) {
    const Cell cell = write_number(matrix->data[i], columns.form, style->digits);
    if (strlen(cell.text) > columns.width) columns.width = strlen(cell.text);
  }
  return columns;
}

static void print_label(FILE *file, const Columns *columns, const LessonLabel *labels, size_t row) {
  fputs(INDENT, file);
  if (columns->label == 0) return;
  print_padded(file, labels != NULL ? labels[row].text : "", columns->label, false);
  fputs("  ", file);
}

static bool begins_chunk(const MatrixStyle *style, size_t column) {
  return style->chunk > 0 && column > 0 && column % style->chunk == 0;
}

static void print_row(FILE *file, const Matrix *matrix, const Columns *columns, size_t row) {
  const MatrixStyle *const style = columns->style;
  const float *const data = matrix->data + row * matrix->columns;
  double sum = 0;
  print_label(file, columns, style->row_labels, row);
  for (size_t c = 0; c < matrix->columns; c++) {
    if (begins_chunk(style, c)) fputs(" |", file);
    const Cell cell = write_number(data[c], columns->form, style->digits);
    fputs(c > 0 ? "  " : "", file);
    print_padded(file, cell.text, columns->width, true);
    sum += (double)data[c];
  }
  if (style->row_sums) fprintf(file, "   sum %.*f", style->digits, sum);
  if (style->shade) {
    fputs("   ", file);
    for (size_t c = 0; c < matrix->columns; c++)
      print_block(file, share_of(&columns->range, data[c]));
  }
  fputc('\n', file);
}

void matrix_print(FILE *file, const Matrix *matrix, const MatrixStyle *style) {
  const Columns columns = measure_columns(matrix, style);
  if (style->column_labels != NULL) {
    print_label(file, &columns, NULL, 0);
    for (size_t c = 0; c < matrix->columns; c++) {
      fputs(c > 0 ? "  " : "", file);
      print_padded(file, style->column_labels[c].text, columns.width, true);
    }
    fputc('\n', file);
  }
  for (size_t r = 0; r < matrix->rows; r++) print_row(file, matrix, &columns, r);
}

void matrix_print_range(FILE *file, const Matrix *matrix) {
  const MatrixRange range = matrix_range(matrix);
  if (range.least > range.most) {
    fprintf(file, INDENT "no finite element\n");
    return;
  }
  fprintf(file, INDENT "from %.4g to %.4g", range.least, range.most);
  if (range.hidden > 0) {
    fprintf(file, ", %zu of %zu elements -inf", range.hidden, matrix->rows * matrix->columns);
  }
  fputc('\n', file);
}

/* The columns of the largest elements of a row, largest first. Returns how many. */
static size_t find_largest(const float *row, size_t columns, size_t largest[LARGEST_PER_ROW]) {
  size_t count = 0;
  for (size_t c = 0; c < columns; c++) {
    size_t at = count;
    while (at > 0 && row[c] > row[largest[at - 1]]) at--;
    if (at == LARGEST_PER_ROW || row[c] == 0) continue;
    if (count < LARGEST_PER_ROW) count++;
    for (size_t k = count - 1; k > at; k--) largest[k] = largest[k - 1];
    largest[at] = c;
  }
  return count;
}

void matrix_print_largest(FILE *file, const Matrix *matrix, const MatrixStyle *style) {
  for (size_t r = 0; r < matrix->rows; r++) {
    if (matrix->rows > ROWS_FULL && r == ROWS_END) {
      r = matrix->rows - ROWS_END;
      fprintf(file, INDENT "(rows %d to %zu left out)\n", ROWS_END, r - 1);
    }
    const float *const row = matrix->data + r * matrix->columns;
    size_t largest[LARGEST_PER_ROW];
    const size_t count = find_largest(row, matrix->columns, largest);
    fprintf(file, INDENT "row %-4zu", r);
    for (size_t k = 0; k < count; k++) {
      fprintf(file, "  %zu: %.*f", largest[k], style->digits, (double)row[largest[k]]);
    }
    fputs(count == 0 ? "  no weight\n" : "\n", file);
  }
}

void matrix_print_heat(FILE *file, const Matrix *matrix) {
  const MatrixRange range = matrix_range(matrix);
  const size_t step = (matrix->columns + HEAT_COLUMNS - 1) / HEAT_COLUMNS;
  for (size_t r = 0; r < matrix->rows; r += step) {
    fputs(INDENT, file);
    for (size_t c = 0; c < matrix->columns; c += step) {
      double share = -1;
      for (size_t i = r; i < r + step && i < matrix->rows; i++) {
        for (size_t k = c; k < c + step && k < matrix->columns; k++) {
          share = fmax(share, share_of(&range, matrix->data[i * matrix->columns + k]));
        }
      }
      print_block(file, share);
    }
    fputc('\n', file);
  }
}
