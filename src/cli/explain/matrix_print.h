/* matrix_print.h - matrices as text: aligned numbers, or a summary of one that is too large.
 *
 * All columns of a matrix are equally wide. A matrix of whole numbers is printed without a point.
 * With colour a matrix of scores or weights also shows how large each element is.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_MATRIX_PRINT_H
#define ATTEND_SRC_CLI_EXPLAIN_MATRIX_PRINT_H

#include <stdio.h>

#include "cli/lesson/lesson.h"

/* Larger matrices are described rather than printed. */
#define MATRIX_PRINT_ROWS 24
#define MATRIX_PRINT_COLUMNS 16

typedef struct MatrixStyle {
  int digits;                       /* after the point */
  size_t chunk;                     /* columns between two bars, as of one head; 0: no bars */
  const LessonLabel *row_labels;    /* null: none */
  const LessonLabel *column_labels; /* null: none */
  bool row_sums;                    /* the sum of each row behind it */
  bool shade;                       /* blocks and colour by size, for a terminal */
} MatrixStyle;

/* Whether it is small enough to be printed in full. */
bool matrix_fits(const Matrix *matrix);

void matrix_print(FILE *file, const Matrix *matrix, const MatrixStyle *style);

/* One line: least, largest, and how many elements are hidden. */
void matrix_print_range(FILE *file, const Matrix *matrix);

/* For each row its largest elements with their columns; of many rows the first and last. */
void matrix_print_largest(FILE *file, const Matrix *matrix, const MatrixStyle *style);

/* One character for each element, darker for a larger one; wide matrices by the largest of some. */
void matrix_print_heat(FILE *file, const Matrix *matrix);

/* A bar of at most `width` characters for a share from 0 to 1, in eighths of a character. */
void print_bar(FILE *file, double share, size_t width, bool colour);

/* Writes text padded to `width` columns, on the left if `right`, else on the right. */
void print_padded(FILE *file, const char *text, size_t width, bool right);

#endif
