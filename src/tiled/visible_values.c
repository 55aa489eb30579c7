/* visible_values.c - looks for values that are not finite, and copies tiles without hidden ones. */
#include "tiled/visible_values.h"

#include <string.h>

/* A row of pairs of keys 2i and 2i + 1, with 0 for a key that is not visible. */
static void copy_visible_row(const uint32_t *from, const bool *visible, uint32_t *to) {
  const uint32_t kept = (visible[0] ? 0xffffu : 0) | (visible[1] ? 0xffff0000u : 0);
  for (size_t c = 0; c < KERNEL_PANEL; c++) to[c] = from[c] & kept;
}

Tile visible_values_copy(const Job *job, const Tile *tile, size_t from, size_t to, Columns columns,
                         const bool *visible, uint32_t *pairs) {
  const size_t term = KEY_TILE / 2 * job->tiling.value_columns;
  const size_t stride = (size_t)KEY_TILE / 2 * KERNEL_PANEL;
  const size_t terms = size_min(size_max(job->tiling.bf16_terms, 1), tile->value_pairs[0].terms);
  Tile copy = *tile;
  for (size_t j = from; j < size_round_up(to, KERNEL_PANEL); j += 2) {
    const KernelPairs source = tile->value_pairs[j / tile->value_part];
    const uint32_t *const row = source.pairs + j % tile->value_part / 2 * KERNEL_PANEL;
    for (size_t p = 0; p < terms; p++) {
      for (size_t c = columns.from; c < columns.to; c += KERNEL_PANEL) {
        const size_t panel = c / KERNEL_PANEL;
        copy_visible_row(row + p * source.term_stride + panel * source.stride, visible + j,
                         pairs + p * term + panel * stride + j / 2 * KERNEL_PANEL);
      }
    }
  }
  copy.value_part = KEY_TILE;
  copy.value_pairs[0] = (KernelPairs){pairs, terms, term, stride, tile->value_pairs[0].number};
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
  const uint32_t first = number == KERNEL_FP16 ? 0x7c00u : 0x7f80u, second = first << 16;
  uint32_t odd = 0;
  for (size_t e = 0; e < count; e++) {
    odd |= (pairs[e] & first) == first || (pairs[e] & second) == second;
  }
  return !odd;
}

static bool pairs_are_finite(const Tile *tile, size_t Dv, size_t j) {
  const KernelPairs value = tile->value_pairs[j / tile->value_part];
  const uint32_t *const row = value.pairs + j % tile->value_part / 2 * KERNEL_PANEL;
  bool finite = true;
  for (size_t c = 0; finite && c < Dv; c += KERNEL_PANEL) {
    finite = are_finite(row + c / KERNEL_PANEL * value.stride, size_min(KERNEL_PANEL, Dv - c),
                        value.number);
  }
  return finite;
}

static bool row_is_finite(const Tile *tile, size_t Dv, size_t j) {
  if (tile->form == TILE_PAIRS) return pairs_are_finite(tile, Dv, j);
  if (tile->form == TILE_ROWS) return is_finite(tile->value[0] + j * tile->value_stride, Dv);
  const size_t part = j / tile->value_part, at = j % tile->value_part;
  const float *const first = tile->value[part] + at * KERNEL_PANEL;
  bool finite = true;
  for (size_t c = 0; finite && c < Dv; c += KERNEL_PANEL) {
    finite =
        is_finite(first + c / KERNEL_PANEL * tile->value_stride, size_min(KERNEL_PANEL, Dv - c));
  }
  return finite;
}

bool visible_values_are_finite(const Job *job, Tile *tile) {
  if (tile->finite == FINITE_UNKNOWN) {
    const bool pairs = tile->form == TILE_PAIRS;
    const size_t end = pairs ? size_round_up(tile->keys, KERNEL_PANEL) : tile->keys;
    size_t j = 0;
    while (j < end && row_is_finite(tile, job->problem->shape.value_dim, j)) j += pairs ? 2 : 1;
    tile->finite = j >= end ? FINITE_YES : FINITE_NO;
  }
  return tile->finite == FINITE_YES;
}
