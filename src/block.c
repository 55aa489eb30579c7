/* block.c - scores, softmax and weighted sum of one register block against one tile.
 *
 * Only here does a mask matter. A tile is full for a block (all rows see all of it), ragged, or
 * skipped; keys before the first and behind the last that any row sees are not multiplied, in steps
 * of a panel.
 *
 * A hidden key's score is overwritten with -inf, so its weight is exactly 0. That hides its value
 * too, as long as the value is finite; 0 * NaN would be NaN. So values that some rows do not see
 * are looked at first, and if one of them is not finite each row adds up its own visible values.
 * The bits are the same: adding 0 times a finite value changes nothing. Pairs are multiplied in
 * whole steps, so there the values of a step are looked at, and each row is given a copy of the
 * tile in which those that it does not see are 0.
 */
#include "block.h"

#include "adjustment.h"

/* The part of the tile that each row sees, in keys from the tile's first. */
typedef struct Seen {
  size_t first[KERNEL_MAX_ROWS], end[KERNEL_MAX_ROWS];
  size_t from, to; /* keys that any row sees */
  bool all;        /* every row sees from .. to */
} Seen;

static size_t within(size_t key, const Tile *tile, size_t keys) {
  return key <= tile->first ? 0 : size_min(key - tile->first, keys);
}

static void look(const Problem *p, const Block *block, const Tile *tile, Seen *seen) {
  seen->from = within(block->top.begin, tile, KEY_TILE);
  seen->to = within(block->bottom.end, tile, KEY_TILE);
  seen->all = within(block->top.end, tile, KEY_TILE) == seen->to &&
              within(block->bottom.begin, tile, KEY_TILE) == seen->from;
  for (size_t r = 0; !seen->all && r < block->rows; r++) {
    const KeyRange range = block_range(p, block->cut, block->row + r);
    seen->end[r] = within(range.end, tile, KEY_TILE);
    seen->first[r] = size_min(within(range.begin, tile, KEY_TILE), seen->end[r]);
  }
}

static void see_alike(Seen *seen, size_t rows) {
  for (size_t r = 0; r < rows; r++) {
    seen->first[r] = seen->from;
    seen->end[r] = seen->to;
  }
}

static bool row_masked(const Job *job, const Block *block, const Tile *tile, size_t r, size_t j) {
  const Problem *const p = job->problem;
  return problem_masked(p, block->cut->sequence.index,
                        block_head(p, block->kv_head, block->row + r),
                        block_token(p, block->row + r), tile->first + j);
}

/* Whether mask and bias hide from every row all that its range leaves it. */
static bool all_masked(const Job *job, const Block *block, const Tile *tile, const Seen *seen) {
  for (size_t r = 0; r < block->rows; r++) {
    for (size_t j = seen->first[r]; j < seen->end[r]; j++) {
      if (!row_masked(job, block, tile, r, j)) return false;
    }
  }
  return true;
}

/* Softcap, ALiBi, bias and mask. */
static void adjust(const Job *job, const Block *block, const Tile *tile, const Seen *seen,
                   float *scores) {
  const Problem *const p = job->problem;
  for (size_t r = 0; r < block->rows; r++) {
    const size_t i = block_token(p, block->row + r);
    const size_t h = block_head(p, block->kv_head, block->row + r);
    const KernelAdjust how =
        adjustment_of(p, &block->cut->sequence, h, i, tile->first + seen->from);
    job->kernels->adjust(seen->to - seen->from, &how, scores + r * KEY_TILE + seen->from);
  }
}

/* Each row adds up exactly the values that it sees, run by run. One that sees none has kept its
 * maximum, and there is nothing to rescale. */
static void weigh_by_row(const Job *job, const Scratch *s, const Block *block, const Tile *tile,
                         const Seen *seen, bool masked, Online state) {
  for (size_t r = 0; r < block->rows; r++) {
    const float *const weights = s->scores + r * KEY_TILE;
    const float *rescale = s->rescale + r;
    for (size_t j = seen->first[r], end = j; j < seen->end[r]; j = end + 1) {
      for (end = j; end < seen->end[r]; end++) {
        if (masked && row_masked(job, block, tile, r, end)) break;
      }
      if (end == j) continue;
      tile_weigh(job, tile, 1, j, end, weights, rescale, online_from(state, r));
      rescale = NULL;
    }
  }
}

/* Rows whose keys all begin together: those that all see, then each row's own end. */
static void weigh_ends(const Job *job, const Scratch *s, const Block *block, const Tile *tile,
                       const Seen *seen, Online state) {
  const size_t common = seen->all ? seen->to : size_max(seen->end[0], seen->from);
  tile_weigh(job, tile, block->rows, seen->from, common, s->scores, s->rescale, state);
  for (size_t r = 0; !seen->all && r < block->rows; r++) {
    if (seen->end[r] <= common) continue;
    tile_weigh(job, tile, 1, common, seen->end[r], s->scores + r * KEY_TILE, NULL,
               online_from(state, r));
  }
}

/* The block's weights as the values want them: pairs where they are multiplied by pairs. */
static Weights split_weights(const Job *job, const Scratch *s, const Block *block, const Seen *seen,
                             size_t from) {
  const size_t order = job->tiling.order, stride = KEY_TILE / 2, plane = job->tiling.R * stride;
  if (order) {
    job->kernels->split_weights(block->rows, seen->to - from, s->scores + from, KEY_TILE, order,
                                plane, stride, s->weights + from / 2);
  }
  return (Weights){s->scores, {s->weights, order, plane, stride, KERNEL_BF16}};
}

/* Each row over a copy of the tile's values that holds those that it sees. */
static void weigh_copies(const Job *job, const Scratch *s, const Block *block, const Tile *tile,
                         const Seen *seen, bool masked, size_t from, Weights weights,
                         Online state) {
  for (size_t r = 0; r < block->rows; r++) {
    bool visible[KEY_TILE] = {false};
    for (size_t j = seen->first[r]; j < seen->end[r]; j++) {
      visible[j] = !masked || !row_masked(job, block, tile, r, j);
    }
    const Tile copy = tile_copy_visible(job, tile, from, seen->to, visible, s->visible);
    tile_weigh_pairs(job, &copy, 1, from, seen->to, weights, s->rescale + r, online_from(state, r));
    weights.floats += KEY_TILE;
    weights.pairs.pairs += weights.pairs.stride;
  }
}

/* The weighted sum over a tile of pairs: all of its steps of which a row sees a key. */
static void weigh_steps(const Job *job, const Scratch *s, const Block *block, Tile *tile,
                        const Seen *seen, bool masked, Online state) {
  const size_t from = seen->from / KERNEL_PANEL * KERNEL_PANEL;
  const bool whole = seen->all && from == seen->from && seen->to % KERNEL_PANEL == 0;
  const Weights weights = split_weights(job, s, block, seen, from);
  if ((whole && !masked) || tile_is_finite(job, tile)) {
    tile_weigh_pairs(job, tile, block->rows, from, seen->to, weights, s->rescale, state);
  } else {
    weigh_copies(job, s, block, tile, seen, masked, from, weights, state);
  }
}

/* The kernels' softmax takes R rows of the fp32 register block at a time; a block of pairs may have
 * more. */
static void softmax(const Job *job, const Scratch *s, const Block *block, size_t width, bool full,
                    const Seen *seen, Online state) {
  const Kernels *const kernels = job->kernels;
  for (size_t r = 0; r < block->rows; r += kernels->rows) {
    const size_t rows = size_min(kernels->rows, block->rows - r);
    float *const scores = s->scores + r * KEY_TILE;
    if (full) {
      kernels->softmax_full(rows, width, scores, KEY_TILE, state.max + r, state.sum + r,
                            s->rescale + r);
    } else {
      kernels->softmax_ragged(rows, width, seen->first + r, seen->end + r, scores, KEY_TILE,
                              state.max + r, state.sum + r, s->rescale + r);
    }
  }
}

void block_attend(const Job *job, const Scratch *s, const Block *block, Tile *tile, Online state) {
  const Problem *const p = job->problem;
  const bool masked = problem_has_mask(p);
  Seen seen;
  look(p, block, tile, &seen);
  if (seen.from >= seen.to) return;
  if (seen.all) see_alike(&seen, block->rows);
  if (masked && all_masked(job, block, tile, &seen)) return;

  const size_t first = seen.from / KERNEL_PANEL * KERNEL_PANEL;
  const size_t width = size_round_up(seen.to, job->tiling.W);
  tile_score(job, tile, block->rows, first, tile->form == FORM_ROWS ? seen.to : width, block->query,
             s->scores);
  if (adjustment_is_needed(p)) adjust(job, block, tile, &seen, s->scores);
  const bool full = seen.all && seen.from == 0 && seen.to == width;
  softmax(job, s, block, width, full, &seen, state);
  const bool aligned = seen.all || (seen.from == 0 && seen.first[block->rows - 1] == 0);
  if (tile->form == FORM_PAIRS) {
    weigh_steps(job, s, block, tile, &seen, masked, state);
  } else if (!masked && aligned) {
    weigh_ends(job, s, block, tile, &seen, state);
  } else if (tile_is_finite(job, tile)) {
    tile_weigh(job, tile, block->rows, seen.from, seen.to, s->scores, s->rescale, state);
  } else {
    weigh_by_row(job, s, block, tile, &seen, masked, state);
  }
}
