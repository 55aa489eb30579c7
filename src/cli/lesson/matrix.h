/* matrix.h - a dense matrix of the tool: rows of floats, one after the other, owned.
 *
 * A matrix without elements is zero ({0}) and may be freed. A vector is a matrix of one row.
 */
#ifndef ATTEND_SRC_CLI_LESSON_MATRIX_H
#define ATTEND_SRC_CLI_LESSON_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Matrix {
  size_t rows, columns;
  float *data; /* [rows, columns], or null */
} Matrix;

/* A matrix of zeros, false if memory is short or a size is 0; *matrix is then zero. */
bool matrix_new(size_t rows, size_t columns, Matrix *matrix);

/* A copy of rows x columns floats, of which rows stand `stride` apart. False as above. */
bool matrix_copy(const float *data, size_t rows, size_t columns, size_t stride, Matrix *matrix);

void matrix_free(Matrix *matrix);

/* product = a b + bias, by plain loops that add in double; bias [1, b.columns] may be empty. The
 * sizes must fit. False if memory is short. */
bool matrix_multiply(const Matrix *a, const Matrix *b, const Matrix *bias, Matrix *product);

/* The largest |a - b|, element by element; 0 where both are the same infinity, NaN if one is NaN.
 * The sizes must be equal. */
double matrix_difference(const Matrix *a, const Matrix *b);

/* The least and largest finite element, and whether all are whole numbers. least > most if no
 * element is finite. */
typedef struct MatrixRange {
  double least, most;
  size_t hidden; /* elements that are -inf */
  bool whole;
} MatrixRange;

MatrixRange matrix_range(const Matrix *matrix);

#endif
