/* visible_values.c - finds values that are not finite, and copies a tile without hidden values. */
#include "tiled/visible_values.h"

#include <string.h>

#include "storage/half_float.h"

/* A row of pairs of keys 2i and 2i + 1, with 0 for a key that is not visible. */
static void copy_visible_row(const uint32_t *from, const bool *visible, uint32_t *to) {
  const uint32_t kept = (visible[0] ? 0xffffu : 0) | (visible[1] ? 0xffff0000u : 0);
  for (size_t c = 0; c < KERNEL_PANEL; c++) to[c] = from[c] & kept;
}

Tile visible_values_copy(const Job *job, const Tile *tile, size_t from, size_t to, Columns columns,
                         const bool *visible, uint32_t *pairs) {
  Tile copy = *tile;
  StoredMatrix *const to_value = &copy.value[0];
  to_value->terms = size_min(size_max(job->tiling->bf16_terms, 1), tile->value[0].terms);
  to_value->panel_stride = (size_t)KEY_TILE / 2 * KERNEL_PANEL;
  to_value->term_stride = KEY_TILE / 2 * job->tiling->value_columns;
  to_value->words = pairs;
  copy.value_part = KEY_TILE;
  for (size_t j = from; j < size_round_up(to, KERNEL_PANEL); j += 2) {
    const StoredMatrix *const part = &tile->value[j / tile->value_part];
    for (size_t c = columns.from; c < columns.to; c += KERNEL_PANEL) {
      const uint32_t *const row = stored_at(part, j % tile->value_part, c);
      uint32_t *const row_copy = stored_at(to_value, j, c);
      for (size_t term = 0; term < to_value->terms; term++) {
        copy_visible_row(row + term * part->term_stride, visible + j,
                         row_copy + term * to_value->term_stride);
      }
    }
  }
  return copy;
}

/* Infinities and NaN have an exponent of all ones. */
static bool is_finite(const float *row, size_t floats) {
  uint32_t odd = 0;
  for (size_t e = 0; e < floats; e++) {
    uint32_t bits;
    memcpy(&bits, row + e, sizeof bits);
    odd |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return !odd;
}

/* Both numbers of each pair. Where the first term is finite, so are the others. */
static bool are_finite(const uint32_t *pairs, size_t count, KernelNumber number) {
  const uint32_t first = half_exponent(number), second = first << 16;
  uint32_t odd = 0;
  for (size_t e = 0; e < count; e++) {
    odd |= (pairs[e] & first) == first || (pairs[e] & second) == second;
  }
  return !odd;
}

/* Row j of the tile's values, and row j + 1 too in pairs. */
static bool row_is_finite(const Tile *tile, size_t Dv, size_t j) {
  if (tile->value_rows.first) {
    return is_finite(tile->value_rows.first + j * tile->value_rows.stride, Dv);
  }
  const StoredMatrix *const value = &tile->value[j / tile->value_part];
  const size_t row = j % tile->value_part;
  for (size_t c = 0; c < Dv; c += KERNEL_PANEL) {
    const size_t columns = size_min(KERNEL_PANEL, Dv - c);
    const bool finite = value->number == KERNEL_FP32
                            ? is_finite(stored_floats(value, row, c), columns)
                            : are_finite(stored_at(value, row, c), columns, value->number);
    if (!finite) return false;
  }
  return true;
}

bool visible_values_are_finite(const Job *job, Tile *tile) {
  if (tile->finite == FINITE_UNKNOWN) {
    const bool pairs = tile_in_pairs(tile);
    const size_t end = pairs ? size_round_up(tile->keys, KERNEL_PANEL) : tile->keys;
    size_t j = 0;
    while (j < end && row_is_finite(tile, job->problem->shape.value_dim, j)) j += pairs ? 2 : 1;
    tile->finite = j >= end ? FINITE_YES : FINITE_NO;
  }
  return tile->finite == FINITE_YES;
}
