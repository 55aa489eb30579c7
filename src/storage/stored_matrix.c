/* stored_matrix.c - elements, rows and columns into a stored matrix and out of it.
 *
 * Whole panels and steps go through the kernels, which transpose and pair up many rows at once. A
 * single row or column is packed by the kernel for rows and then put in place element by element,
 * because the other half of a pair, and the places beside it, may belong to another token.
 */
#include "storage/stored_matrix.h"

#include <string.h>

#include "storage/half_float.h"

/* Elements of a column that are packed at a time. */
#define COLUMN_PIECE 128

static uint16_t half_of(uint32_t pair, size_t half) {
  return (uint16_t)(half ? pair >> 16 : pair & 0xffffu);
}

static void put_half(uint32_t *pair, size_t half, uint16_t number) {
  *pair = half ? (*pair & 0xffffu) | (uint32_t)number << 16 : (*pair & 0xffff0000u) | number;
}

/* The sum of the terms of one half of a pair, whose first term is at `first`. */
static float widen_terms(const StoredMatrix *m, const uint32_t *first, size_t half) {
  float sum = 0.0f;
  for (size_t term = m->terms; term-- > 0;) {
    const float number = half_widen(m->number, half_of(first[term * m->term_stride], half));
    sum = term + 1 == m->terms ? number : sum + number;
  }
  return sum;
}

float stored_element(const StoredMatrix *m, size_t row, size_t column) {
  const size_t at = column % m->panel_columns;
  if (m->number == KERNEL_FP32) return stored_floats(m, row, column)[at];
  return widen_terms(m, stored_at(m, row, column) + at, row % 2);
}

void stored_get_column(const StoredMatrix *m, size_t column, size_t rows, float *to) {
  const size_t at = column % m->panel_columns;
  if (m->number == KERNEL_FP32) {
    const float *const from = stored_floats(m, 0, column) + at;
    for (size_t r = 0; r < rows; r++) to[r] = from[r * m->panel_columns];
    return;
  }
  const uint32_t *const from = stored_at(m, 0, column) + at;
  for (size_t r = 0; r < rows; r++) {
    to[r] = widen_terms(m, from + r / 2 * m->panel_columns, r % 2);
  }
}

void stored_get_row(const StoredMatrix *m, size_t row, size_t columns, float *to) {
  for (size_t first = 0; first < columns; first += m->panel_columns) {
    const size_t here = size_min(m->panel_columns, columns - first);
    if (m->number == KERNEL_FP32) {
      memcpy(to + first, stored_floats(m, row, first), here * sizeof *to);
      continue;
    }
    const uint32_t *const from = stored_at(m, row, first);
    for (size_t c = 0; c < here; c++) to[first + c] = widen_terms(m, from + c, row % 2);
  }
}

void stored_put_column(const StoredMatrix *m, const Kernels *kernels, size_t column, size_t rows,
                       const float *from) {
  const size_t at = column % m->panel_columns;
  if (m->number == KERNEL_FP32) {
    float *const to = stored_floats(m, 0, column) + at;
    for (size_t r = 0; r < rows; r++) to[r * m->panel_columns] = from[r];
    return;
  }
  const size_t word_rows = stored_word_rows(m->number, rows);
  for (size_t r = 0; r < rows; r += COLUMN_PIECE) {
    _Alignas(KERNEL_ALIGNMENT) uint32_t packed[KERNEL_MAX_TERMS][COLUMN_PIECE / 2];
    const float *const piece = from + r;
    const size_t here = size_min(COLUMN_PIECE, rows - r);
    const size_t pairs = size_min(COLUMN_PIECE / 2, word_rows - r / 2);
    kernels->pack_row_pairs(1, here, &piece, 1.0f, m->number, m->terms, COLUMN_PIECE / 2,
                            COLUMN_PIECE / 2, packed[0]);
    for (size_t term = 0; term < m->terms; term++) {
      uint32_t *const to = stored_at(m, r, column) + at + term * m->term_stride;
      for (size_t i = 0; i < pairs; i++) to[i * m->panel_columns] = packed[term][i];
    }
  }
}

void stored_put_row(const StoredMatrix *m, const Kernels *kernels, size_t row, size_t columns,
                    const float *from) {
  if (m->number == KERNEL_FP32) {
    stored_put_rows(m, kernels, row, 1, columns, from, columns);
    return;
  }
  for (size_t column = 0; column < columns; column += KERNEL_PANEL) {
    _Alignas(KERNEL_ALIGNMENT) uint32_t packed[KERNEL_MAX_TERMS][KERNEL_PANEL / 2];
    const float *const piece = from + column;
    kernels->pack_row_pairs(1, size_min(KERNEL_PANEL, columns - column), &piece, 1.0f, m->number,
                            m->terms, KERNEL_PANEL / 2, KERNEL_PANEL / 2, packed[0]);
    for (size_t term = 0; term < m->terms; term++) {
      uint32_t *const to = stored_at(m, row, column) + term * m->term_stride;
      for (size_t c = 0; c < KERNEL_PANEL; c++) {
        put_half(to + c, row % 2, half_of(packed[term][c / 2], c % 2));
      }
    }
  }
}

void stored_put_columns(const StoredMatrix *m, const Kernels *kernels, size_t column, size_t rows,
                        const float *from, size_t stride) {
  if (m->number == KERNEL_FP32) {
    kernels->pack_keys(KERNEL_PANEL, rows, from, stride, stored_floats(m, 0, column));
  } else {
    kernels->pack_key_pairs(KERNEL_PANEL, rows, from, stride, m->number, m->terms, m->term_stride,
                            stored_at(m, 0, column));
  }
}

void stored_put_rows(const StoredMatrix *m, const Kernels *kernels, size_t row, size_t rows,
                     size_t columns, const float *from, size_t stride) {
  for (size_t column = 0; column < columns; column += KERNEL_PANEL) {
    const size_t here = size_min(KERNEL_PANEL, columns - column);
    if (m->number == KERNEL_FP32) {
      kernels->pack_values(rows, here, from + column, stride, stored_floats(m, row, column));
    } else {
      kernels->pack_value_pairs(rows, here, from + column, stride, m->number, m->terms,
                                m->term_stride, stored_at(m, row, column));
    }
  }
}

void stored_clear_rows(const StoredMatrix *m, size_t row, size_t columns) {
  const size_t words = stored_row_at(m, KERNEL_PANEL);
  for (size_t column = 0; column < columns; column += m->panel_columns) {
    for (size_t term = 0; term < m->terms; term++) {
      memset(stored_at(m, row, column) + term * m->term_stride, 0, words * sizeof *m->words);
    }
  }
}
