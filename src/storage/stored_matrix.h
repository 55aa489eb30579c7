/* stored_matrix.h - a matrix in one of the storages: weights, or the keys or values of a cache page.
 *
 * The columns lie in panels, and a product runs along the rows:
 *
 *   fp32     [panels][rows][panel_columns]              a word is a float
 *   16 bits  [panels], [terms][pairs][panel_columns]    a word is a pair: rows 2i and 2i + 1
 *
 * panel_columns is P = KERNEL_PANEL, or all columns of an fp32 matrix that lies row-major. The
 * strides say which of panels and terms lies inside the other. In 16 bits the rows between the last
 * one and the end of its step are 0. This file knows where an element is. It allocates nothing and
 * knows nothing of layers, caches or threads.
 */
#ifndef ATTEND_SRC_STORAGE_STORED_MATRIX_H
#define ATTEND_SRC_STORAGE_STORED_MATRIX_H

#include "kernels/kernels.h"
#include "size.h"

typedef struct StoredMatrix {
  KernelNumber number;
  size_t terms; /* numbers whose sum is an element */
  size_t panel_columns;
  size_t term_stride, panel_stride; /* words */
  uint32_t *words;
} StoredMatrix;

/* Rows of words that `rows` rows of elements take: in 16 bits pairs, to whole steps. */
static inline size_t stored_word_rows(KernelNumber number, size_t rows) {
  if (number == KERNEL_FP32) return rows;
  return size_ceil_divide(rows, 2 * KERNEL_STEP) * KERNEL_STEP;
}

/* Words from the beginning of a panel to a row, which is even in 16 bits. */
static inline size_t stored_row_at(const StoredMatrix *m, size_t row) {
  return (m->number == KERNEL_FP32 ? row : row / 2) * m->panel_columns;
}

/* The first term of the words of a row, from a column on that begins a panel. */
static inline uint32_t *stored_at(const StoredMatrix *m, size_t row, size_t column) {
  return m->words + column / m->panel_columns * m->panel_stride + stored_row_at(m, row);
}

/* The same as floats. The matrix must be fp32. */
static inline float *stored_floats(const StoredMatrix *m, size_t row, size_t column) {
  return (float *)(void *)stored_at(m, row, column);
}

/* The same as the kernels read it. The matrix must be in 16 bits. */
static inline KernelPairs stored_pairs(const StoredMatrix *m, size_t row, size_t column) {
  return (KernelPairs){stored_at(m, row, column), m->terms, m->term_stride, m->panel_stride,
                       m->number};
}

/* One element, widened: the sum of its terms, the smallest first, as the kernel `widen` adds. */
float stored_element(const StoredMatrix *matrix, size_t row, size_t column);

/* Rows 0 .. rows of one column, and columns 0 .. columns of one row, widened. */
void stored_get_column(const StoredMatrix *matrix, size_t column, size_t rows, float *to);
void stored_get_row(const StoredMatrix *matrix, size_t row, size_t columns, float *to);

/* Writes rows 0 .. rows of one column. Other columns keep their elements. */
void stored_put_column(const StoredMatrix *matrix, const Kernels *kernels, size_t column,
                       size_t rows, const float *from);

/* Writes columns 0 .. columns of one row, and zeros in the rest of the last panel. Other rows keep
 * their elements. */
void stored_put_row(const StoredMatrix *matrix, const Kernels *kernels, size_t row, size_t columns,
                    const float *from);

/* Writes P columns from `column` on, a multiple of P: element (r, column + j) is
 * from[j * stride + r]. */
void stored_put_columns(const StoredMatrix *matrix, const Kernels *kernels, size_t column,
                        size_t rows, const float *from, size_t stride);

/* Writes `rows` rows from `row` on: element (row + r, c) is from[r * stride + c]. Zeros fill the
 * last panel. In 16 bits `row` is a multiple of P, and the rest of the last step becomes 0. */
void stored_put_rows(const StoredMatrix *matrix, const Kernels *kernels, size_t row, size_t rows,
                     size_t columns, const float *from, size_t stride);

/* Makes P rows from `row` on, a multiple of P, zeros in columns 0 .. columns, a multiple of P. */
void stored_clear_rows(const StoredMatrix *matrix, size_t row, size_t columns);

#endif
