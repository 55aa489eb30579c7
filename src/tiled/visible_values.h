/* visible_values.h - keeps hidden values of Inf and NaN out of sums: 0 * NaN is NaN. */
#ifndef ATTEND_SRC_TILED_VISIBLE_VALUES_H
#define ATTEND_SRC_TILED_VISIBLE_VALUES_H

#include "tiled/tile.h"

/* Whether all values of the tile are finite, so that a weight of 0 hides them. In pairs, keys that
 * share a step with those of the tile count too. Remembered in the tile. */
bool visible_values_are_finite(const Job *job, Tile *tile);

/* Copies some columns of a tile's pairs of values to `pairs`, with zeros for the keys j whose
 * visible[j] is false, and returns the tile of the copy. Copies keys from .. to; `from` is a
 * multiple of P, and `to` is rounded up to whole steps. */
Tile visible_values_copy(const Job *job, const Tile *tile, size_t from, size_t to, Columns columns,
                         const bool *visible, uint32_t *pairs);

#endif
