/* block.c - scores, softmax and weighted sum of one register block against one tile.
 *
 * A mask matters only here. A tile is full for a block (all rows see all of it), ragged, or
 * skipped. Keys before the first and behind the last that any row sees are not multiplied, in steps
 * of a panel.
 *
 * The score of a hidden key becomes -inf, so its weight is exactly 0. A weight of 0 hides the value
 * as long as the value is finite, but 0 * NaN is NaN. So values that some row does not see are
 * checked first, and if one of them is not finite, each row adds up only the values that it sees.
 * The bits are the same, because adding 0 times a finite value changes nothing. Pairs are multiplied
 * in whole steps: there all values of a step are checked, and each row gets a copy of the tile with
 * zeros in place of the values that it does not see.
 */
#include "tiled/block.h"

#include "paths/score_mods.h"
#include "tiled/visible_values.h"

static size_t within(size_t key, const Tile *tile, size_t keys) {
  return key <= tile->first ? 0 : size_min(key - tile->first, keys);
}

static void find_visible(const Block *block, const Tile *tile, VisibleSpan *span) {
  span->from = within(block->top.begin, tile, KEY_TILE);
  span->to = within(block->bottom.end, tile, KEY_TILE);
  span->all = within(block->top.end, tile, KEY_TILE) == span->to &&
              within(block->bottom.begin, tile, KEY_TILE) == span->from;
  for (size_t r = 0; !span->all && r < block->rows; r++) {
    const KeyRange range = row_range(block->head, block->row + r);
    span->end[r] = within(range.end, tile, KEY_TILE);
    span->first[r] = size_min(within(range.begin, tile, KEY_TILE), span->end[r]);
  }
}

static void set_all_rows(VisibleSpan *span, size_t rows) {
  for (size_t r = 0; r < rows; r++) {
    span->first[r] = span->from;
    span->end[r] = span->to;
  }
}

static bool row_masked(const Block *block, const Tile *tile, size_t r, size_t j) {
  const Problem *const p = block->head->job->problem;
  return problem_masked(p, block->head->plan->sequence.index,
                        row_head(p, block->head->g, block->row + r), row_token(p, block->row + r),
                        tile->first + j);
}

/* Whether mask and bias hide every key that is in the range of any row. */
static bool all_masked(const Block *block, const Tile *tile, const VisibleSpan *span) {
  for (size_t r = 0; r < block->rows; r++) {
    for (size_t j = span->first[r]; j < span->end[r]; j++) {
      if (!row_masked(block, tile, r, j)) return false;
    }
  }
  return true;
}

/* Applies softcap, ALiBi, bias and mask to the rows from .. to. The kernel writes whole vectors.
 * They begin at a multiple of P and so end with the row: no other row is touched, and nothing behind
 * the scores, where other parts of the softmax have already written. */
static void modify_scores(const Visit *v, size_t from, size_t to) {
  const Block *const block = v->block;
  const KvHead *const head = block->head;
  const Problem *const p = head->job->problem;
  for (size_t r = from; r < to; r++) {
    const size_t i = row_token(p, block->row + r);
    const size_t h = row_head(p, head->g, block->row + r);
    const KernelScoreMod how =
        score_mod_of(p, &head->plan->sequence, h, i, v->tile->first + v->first);
    head->job->kernels->score_mod(v->visible.to - v->first, &how,
                                  v->scratch.scores + r * KEY_TILE + v->first);
  }
}

bool visit_begin(const Block *block, Tile *tile, Online state, TileScratch scratch, Visit *v) {
  const Job *const job = block->head->job;
  v->block = block;
  v->tile = tile;
  v->state = state;
  v->scratch = scratch;
  find_visible(block, tile, &v->visible);
  if (v->visible.from >= v->visible.to) return false;
  if (v->visible.all) set_all_rows(&v->visible, block->rows);
  v->first = v->visible.from / KERNEL_PANEL * KERNEL_PANEL;
  v->end = size_round_up(v->visible.to, job->tiling->W);
  return !problem_has_mask(job->problem) || !all_masked(block, tile, &v->visible);
}

void visit_scores(const Visit *v, size_t from, size_t to) {
  const Job *const job = v->block->head->job;
  const size_t end = v->tile->key_rows.first ? v->visible.to : v->end;
  from = size_max(from, v->first);
  to = size_min(to, end);
  if (from >= to) return;
  tile_scores(job, v->tile, v->block->rows, from, to, v->block->query, v->scratch.scores);
}

/* Packs the weights of rows from .. to as bf16 terms. */
static void pack_weights(const Visit *v, size_t from, size_t to) {
  const Job *const job = v->block->head->job;
  const size_t stride = KEY_TILE / 2;
  job->kernels->pack_weight_pairs(to - from, v->visible.to - v->first,
                                  v->scratch.scores + from * KEY_TILE + v->first, KEY_TILE,
                                  job->tiling->bf16_terms, job->tiling->R * stride, stride,
                                  v->scratch.weights + from * stride + v->first / 2);
}

void visit_softmax(const Visit *v, size_t from, size_t to) {
  const Job *const job = v->block->head->job;
  const Kernels *const kernels = job->kernels;
  const VisibleSpan *const span = &v->visible;
  const bool full = span->all && span->from == 0 && span->to == v->end;
  to = size_min(to, v->block->rows);
  if (from >= to) return;
  if (score_mod_needed(job->problem)) modify_scores(v, from, to);
  float *const scores = v->scratch.scores + from * KEY_TILE;
  float *const max = v->state.max + from, *const sum = v->state.sum + from;
  float *const rescale = v->scratch.rescale + from;
  if (full) {
    kernels->softmax_full(to - from, v->end, scores, KEY_TILE, max, sum, rescale);
  } else {
    kernels->softmax_ragged(to - from, v->end, span->first + from, span->end + from, scores,
                            KEY_TILE, max, sum, rescale);
  }
  if (job->tiling->bf16_terms) pack_weights(v, from, to);
}

/* Each row adds up exactly the values that it sees, run by run. A row that sees none has kept its
 * maximum, so there is nothing to rescale. */
static void sum_row_by_row(const Visit *v, bool masked) {
  const Job *const job = v->block->head->job;
  const VisibleSpan *const span = &v->visible;
  for (size_t r = 0; r < v->block->rows; r++) {
    const float *const weights = v->scratch.scores + r * KEY_TILE;
    const float *rescale = v->scratch.rescale + r;
    for (size_t j = span->first[r], end = j; j < span->end[r]; j = end + 1) {
      for (end = j; end < span->end[r]; end++) {
        if (masked && row_masked(v->block, v->tile, r, end)) break;
      }
      if (end == j) continue;
      tile_weighted_sum(job, v->tile, 1, j, end, weights, rescale, online_from(v->state, r));
      rescale = NULL;
    }
  }
}

/* The spans of all rows begin at the same key: first the keys that all rows see, then the end of each
 * row. */
static void sum_common_then_ends(const Visit *v) {
  const Job *const job = v->block->head->job;
  const VisibleSpan *const span = &v->visible;
  const size_t common = span->all ? span->to : size_max(span->end[0], span->from);
  tile_weighted_sum(job, v->tile, v->block->rows, span->from, common, v->scratch.scores,
                    v->scratch.rescale, v->state);
  for (size_t r = 0; !span->all && r < v->block->rows; r++) {
    if (span->end[r] <= common) continue;
    tile_weighted_sum(job, v->tile, 1, common, span->end[r], v->scratch.scores + r * KEY_TILE, NULL,
                      online_from(v->state, r));
  }
}

/* Each row multiplies a copy of the tile that holds only the values that it sees. */
static void sum_visible_copies(const Visit *v, bool masked, Columns columns, Weights weights) {
  const Job *const job = v->block->head->job;
  const VisibleSpan *const span = &v->visible;
  for (size_t r = 0; r < v->block->rows; r++) {
    bool visible[KEY_TILE] = {false};
    for (size_t j = span->first[r]; j < span->end[r]; j++) {
      visible[j] = !masked || !row_masked(v->block, v->tile, r, j);
    }
    const Tile copy = visible_values_copy(job, v->tile, v->first, span->to, columns, visible,
                                          v->block->head->scratch->visible);
    tile_weighted_sum_pairs(job, &copy, 1, v->first, span->to, columns, weights,
                            v->scratch.rescale + r, online_from(v->state, r));
    weights.floats += KEY_TILE;
    weights.pairs.pairs += weights.pairs.stride;
  }
}

/* A tile of pairs is multiplied in whole steps, from the first to the last key that any row sees. */
static void sum_pairs(const Visit *v, bool masked, Columns columns) {
  const Job *const job = v->block->head->job;
  const VisibleSpan *const span = &v->visible;
  const size_t stride = KEY_TILE / 2;
  const bool whole = span->all && v->first == span->from && span->to % KERNEL_PANEL == 0;
  const Weights weights = {
      v->scratch.scores,
      {v->scratch.weights, job->tiling->bf16_terms, job->tiling->R * stride, stride, KERNEL_BF16}};
  if ((whole && !masked) || visible_values_are_finite(job, v->tile)) {
    tile_weighted_sum_pairs(job, v->tile, v->block->rows, v->first, span->to, columns, weights,
                            v->scratch.rescale, v->state);
  } else {
    sum_visible_copies(v, masked, columns, weights);
  }
}

void visit_weighted_sum(const Visit *v, Columns columns) {
  const Job *const job = v->block->head->job;
  const bool masked = problem_has_mask(job->problem);
  const VisibleSpan *const span = &v->visible;
  const bool aligned = span->all || (span->from == 0 && span->first[v->block->rows - 1] == 0);
  if (columns.from >= columns.to) return;
  if (tile_in_pairs(v->tile)) {
    sum_pairs(v, masked, columns);
  } else if (!masked && aligned) {
    sum_common_then_ends(v);
  } else if (visible_values_are_finite(job, v->tile)) {
    tile_weighted_sum(job, v->tile, v->block->rows, span->from, span->to, v->scratch.scores,
                      v->scratch.rescale, v->state);
  } else {
    sum_row_by_row(v, masked);
  }
}
