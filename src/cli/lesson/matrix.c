/* matrix.c - memory of the tool's matrices, and a little arithmetic.
 *
 * Sizes come from files and options. They are compared with the memory of the machine, so that a
 * size that is too large is refused instead of the process being killed for it later.
 */
#include "cli/lesson/matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/allocation.h"

bool matrix_new(size_t rows, size_t columns, Matrix *matrix) {
  *matrix = (Matrix){0};
  if (rows == 0 || columns == 0) return false;
  float *const data = allocate_floats((double)rows * (double)columns);
  if (data == NULL) return false;
  memset(data, 0, rows * columns * sizeof *data);
  *matrix = (Matrix){rows, columns, data};
  return true;
}

bool matrix_copy(const float *data, size_t rows, size_t columns, size_t stride, Matrix *matrix) {
  if (!matrix_new(rows, columns, matrix)) return false;
  for (size_t r = 0; r < rows; r++) {
    memcpy(matrix->data + r * columns, data + r * stride, columns * sizeof *data);
  }
  return true;
}

void matrix_free(Matrix *matrix) {
  free(matrix->data);
  *matrix = (Matrix){0};
}

static float element_of_product(const Matrix *a, const Matrix *b, size_t r, size_t c) {
  double sum = 0;
  for (size_t k = 0; k < a->columns; k++) {
    sum += (double)a->data[r * a->columns + k] * (double)b->data[k * b->columns + c];
  }
  return (float)sum;
}

bool matrix_multiply(const Matrix *a, const Matrix *b, const Matrix *bias, Matrix *product) {
  if (!matrix_new(a->rows, b->columns, product)) return false;
  for (size_t r = 0; r < product->rows; r++) {
    for (size_t c = 0; c < product->columns; c++) {
      const float sum = element_of_product(a, b, r, c);
      product->data[r * product->columns + c] = bias->data != NULL ? sum + bias->data[c] : sum;
    }
  }
  return true;
}

double matrix_difference(const Matrix *a, const Matrix *b) {
  double largest = 0;
  for (size_t i = 0; i < a->rows * a->columns; i++) {
    if (a->data[i] == b->data[i]) continue;
    const double difference = fabs((double)a->data[i] - (double)b->data[i]);
    if (isnan(difference)) return difference;
    if (difference > largest) largest = difference;
  }
  return largest;
}

MatrixRange matrix_range(const Matrix *matrix) {
  MatrixRange range = {.least = INFINITY, .most = -INFINITY, .whole = true};
  for (size_t i = 0; i < matrix->rows * matrix->columns; i++) {
    const double value = (double)matrix->data[i];
    if (matrix->data[i] == -INFINITY) range.hidden++;
    if (!isfinite(value)) continue;
    if (value < range.least) range.least = value;
    if (value > range.most) range.most = value;
    if (value != trunc(value)) range.whole = false;
  }
  return range;
}
