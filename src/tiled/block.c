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
#include "tiled/block.h"

#include "paths/adjustment.h"

static size_t within(size_t key, const Tile *tile, size_t keys) {
  return key <= tile->first ? 0 : size_min(key - tile->first, keys);
}

static void look(const Problem *p, const Block *block, const Tile *tile, VisibleSpan *seen) {
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

static void see_alike(VisibleSpan *seen, size_t rows) {
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
static bool all_masked(const Job *job, const Block *block, const Tile *tile,
                       const VisibleSpan *seen) {
  for (size_t r = 0; r < block->rows; r++) {
    for (size_t j = seen->first[r]; j < seen->end[r]; j++) {
      if (!row_masked(job, block, tile, r, j)) return false;
    }
  }
  return true;
}

/* Softcap, ALiBi, bias and mask of the rows from .. to. The kernel writes whole vectors: from a
 * multiple of P on they end with the row, so that neither another row nor what lies behind the
 * scores, which other parts of the softmax have set, is touched. */
static void score_mod(const Job *job, const Visit *v, size_t from, size_t to) {
  const Problem *const p = job->problem;
  const Block *const block = v->block;
  for (size_t r = from; r < to; r++) {
    const size_t i = block_token(p, block->row + r);
    const size_t h = block_head(p, block->kv_head, block->row + r);
    const KernelScoreMod how =
        adjustment_of(p, &block->cut->sequence, h, i, v->tile->first + v->first);
    job->kernels->score_mod(v->seen.to - v->first, &how,
                            v->interim.scores + r * KEY_TILE + v->first);
  }
}

bool visit_begin(const Job *job, const Block *block, Tile *tile, Online state, TileScratch interim,
                 Visit *v) {
  const Problem *const p = job->problem;
  v->block = block;
  v->tile = tile;
  v->state = state;
  v->interim = interim;
  look(p, block, tile, &v->seen);
  if (v->seen.from >= v->seen.to) return false;
  if (v->seen.all) see_alike(&v->seen, block->rows);
  v->first = v->seen.from / KERNEL_PANEL * KERNEL_PANEL;
  v->end = size_round_up(v->seen.to, job->tiling.W);
  return !problem_has_mask(p) || !all_masked(job, block, tile, &v->seen);
}

void visit_scores(const Job *job, const Visit *v, size_t from, size_t to) {
  const size_t end = v->tile->form == FORM_ROWS ? v->seen.to : v->end;
  from = size_max(from, v->first);
  to = size_min(to, end);
  if (from >= to) return;
  tile_scores(job, v->tile, v->block->rows, from, to, v->block->query, v->interim.scores);
}

/* Weights of rows from .. to, and of all keys from a multiple of P on. */
static void pack_weight_pairs(const Job *job, const Visit *v, size_t from, size_t to) {
  const size_t stride = KEY_TILE / 2;
  job->kernels->pack_weight_pairs(to - from, v->seen.to - v->first,
                                  v->interim.scores + from * KEY_TILE + v->first, KEY_TILE,
                                  job->tiling.bf16_terms, job->tiling.R * stride, stride,
                                  v->interim.weights + from * stride + v->first / 2);
}

void visit_softmax(const Job *job, const Visit *v, size_t from, size_t to) {
  const Kernels *const kernels = job->kernels;
  const VisibleSpan *const seen = &v->seen;
  const bool full = seen->all && seen->from == 0 && seen->to == v->end;
  to = size_min(to, v->block->rows);
  if (from >= to) return;
  if (adjustment_is_needed(job->problem)) score_mod(job, v, from, to);
  float *const scores = v->interim.scores + from * KEY_TILE;
  float *const max = v->state.max + from, *const sum = v->state.sum + from;
  float *const rescale = v->interim.rescale + from;
  if (full) {
    kernels->softmax_full(to - from, v->end, scores, KEY_TILE, max, sum, rescale);
  } else {
    kernels->softmax_ragged(to - from, v->end, seen->first + from, seen->end + from, scores,
                            KEY_TILE, max, sum, rescale);
  }
  if (job->tiling.bf16_terms) pack_weight_pairs(job, v, from, to);
}

/* Each row adds up exactly the values that it sees, run by run. One that sees none has kept its
 * maximum, and there is nothing to rescale. */
static void weigh_by_row(const Job *job, const Visit *v, bool masked) {
  const VisibleSpan *const seen = &v->seen;
  for (size_t r = 0; r < v->block->rows; r++) {
    const float *const weights = v->interim.scores + r * KEY_TILE;
    const float *rescale = v->interim.rescale + r;
    for (size_t j = seen->first[r], end = j; j < seen->end[r]; j = end + 1) {
      for (end = j; end < seen->end[r]; end++) {
        if (masked && row_masked(job, v->block, v->tile, r, end)) break;
      }
      if (end == j) continue;
      tile_weighted_sum(job, v->tile, 1, j, end, weights, rescale, online_from(v->state, r));
      rescale = NULL;
    }
  }
}

/* Rows whose keys all begin together: those that all see, then each row's own end. */
static void weigh_ends(const Job *job, const Visit *v) {
  const VisibleSpan *const seen = &v->seen;
  const size_t common = seen->all ? seen->to : size_max(seen->end[0], seen->from);
  tile_weighted_sum(job, v->tile, v->block->rows, seen->from, common, v->interim.scores,
                    v->interim.rescale, v->state);
  for (size_t r = 0; !seen->all && r < v->block->rows; r++) {
    if (seen->end[r] <= common) continue;
    tile_weighted_sum(job, v->tile, 1, common, seen->end[r], v->interim.scores + r * KEY_TILE, NULL,
                      online_from(v->state, r));
  }
}

/* Each row over a copy of the tile's values that holds those that it sees. */
static void weigh_copies(const Job *job, const Scratch *s, const Visit *v, bool masked,
                         Columns columns, Weights weights) {
  const VisibleSpan *const seen = &v->seen;
  for (size_t r = 0; r < v->block->rows; r++) {
    bool visible[KEY_TILE] = {false};
    for (size_t j = seen->first[r]; j < seen->end[r]; j++) {
      visible[j] = !masked || !row_masked(job, v->block, v->tile, r, j);
    }
    const Tile copy =
        tile_copy_visible(job, v->tile, v->first, seen->to, columns, visible, s->visible);
    tile_weighted_sum_pairs(job, &copy, 1, v->first, seen->to, columns, weights,
                            v->interim.rescale + r, online_from(v->state, r));
    weights.floats += KEY_TILE;
    weights.pairs.pairs += weights.pairs.stride;
  }
}

/* The weighted sum over a tile of pairs: all of its steps of which a row sees a key. */
static void weigh_steps(const Job *job, const Scratch *s, const Visit *v, bool masked,
                        Columns columns) {
  const VisibleSpan *const seen = &v->seen;
  const size_t stride = KEY_TILE / 2;
  const bool whole = seen->all && v->first == seen->from && seen->to % KERNEL_PANEL == 0;
  const Weights weights = {
      v->interim.scores,
      {v->interim.weights, job->tiling.bf16_terms, job->tiling.R * stride, stride, KERNEL_BF16}};
  if ((whole && !masked) || tile_is_finite(job, v->tile)) {
    tile_weighted_sum_pairs(job, v->tile, v->block->rows, v->first, seen->to, columns, weights,
                            v->interim.rescale, v->state);
  } else {
    weigh_copies(job, s, v, masked, columns, weights);
  }
}

void visit_weighted_sum(const Job *job, const Scratch *s, const Visit *v, Columns columns) {
  const bool masked = problem_has_mask(job->problem);
  const VisibleSpan *const seen = &v->seen;
  const bool aligned = seen->all || (seen->from == 0 && seen->first[v->block->rows - 1] == 0);
  if (columns.from >= columns.to) return;
  if (v->tile->form == FORM_PAIRS) {
    weigh_steps(job, s, v, masked, columns);
  } else if (!masked && aligned) {
    weigh_ends(job, v);
  } else if (tile_is_finite(job, v->tile)) {
    tile_weighted_sum(job, v->tile, v->block->rows, seen->from, seen->to, v->interim.scores,
                      v->interim.rescale, v->state);
  } else {
    weigh_by_row(job, v, masked);
  }
}
