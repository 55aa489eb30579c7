/* query_tile.c - owns the loop over tiles of keys and register blocks of rows.
 *
 * Each tile of keys is visited by each register block of the query tile while the K and V of the
 * tile stay in L2. Tiles that no row of a block sees are skipped.
 */
#include "tiled/query_tile.h"

#include "paths/score_mods.h"
#include "tiled/block.h"
#include "tiled/kv_source.h"
#include "tiled/pipeline.h"
#include "tiled/query.h"

/* Register blocks of a query tile, where they have the fewest rows. */
#define MAX_BLOCKS (QUERY_TILE / KERNEL_MIN_ROWS)

/* The register blocks of rows row .. row + rows, whose queries are packed. */
static size_t list_blocks(const KvHead *head, size_t row, size_t rows, Block *blocks) {
  const size_t height = query_block_height(head->job, rows);
  size_t count = 0;
  for (size_t r = 0; r < rows; r += height, count++) {
    const size_t here = size_min(height, rows - r);
    blocks[count] = (Block){.head = head,
                            .row = row + r,
                            .rows = here,
                            .top = row_range(head, row + r),
                            .bottom = row_range(head, row + r + here - 1),
                            .query = query_of(head, r, count)};
  }
  return count;
}

/* The blocks against the tiles of keys first .. end, one visit after the other. */
static void attend_tiles(const KvHead *head, const Block *blocks, size_t count, size_t first,
                         size_t end, Online state) {
  for (size_t key = first; key < end; key += KEY_TILE) {
    Tile tile = head->plan->source->fetch(head, key / KEY_TILE);
    for (size_t k = 0; k < count; k++) {
      const Online rows = online_from(state, blocks[k].row - blocks[0].row);
      Visit visit;
      if (!visit_begin(&blocks[k], &tile, rows, head->scratch->tiles[0], &visit)) continue;
      visit_scores(&visit, 0, KEY_TILE);
      visit_softmax(&visit, 0, blocks[k].rows);
      visit_weighted_sum(&visit, (Columns){0, state.stride});
    }
  }
}

/* Rows row .. row + rows against the tiles of a split that they see, from an empty state. */
static void attend_split(const KvHead *head, size_t row, size_t rows, size_t split, Online state) {
  Block blocks[MAX_BLOCKS];
  const size_t count = list_blocks(head, row, rows, blocks);
  const size_t top = row_range(head, row).begin, bottom = row_range(head, row + rows - 1).end;
  const size_t first = size_max(top / KEY_TILE * KEY_TILE, split * KEY_SPLIT);
  const size_t end = size_min(bottom, (split + 1) * KEY_SPLIT);
  online_init(state, rows);
  if (pipeline_pays(head->job)) {
    pipeline_attend_tiles(head, blocks, count, first, end, state);
  } else {
    attend_tiles(head, blocks, count, first, end, state);
  }
}

void query_tile_attend(const KvHead *head, size_t tile) {
  const SequencePlan *const plan = head->plan;
  const Scratch *const s = head->scratch;
  const size_t row = tile * plan->query_tile, rows = size_min(plan->query_tile, plan->rows - row);
  const size_t first = row_range(head, row).begin / KEY_SPLIT;
  const size_t end = size_ceil_divide(row_range(head, row + rows - 1).end, KEY_SPLIT);
  query_pack(head, row, rows);
  attend_split(head, row, rows, first, s->total);
  for (size_t split = first + 1; split < end; split++) {
    attend_split(head, row, rows, split, s->split);
    online_merge(head->job->kernels, s->total, s->split, rows);
  }
  query_tile_finish(head, row, rows, s->total);
}

void query_tile_attend_split(const KvHead *head, size_t split, Online state) {
  query_pack(head, 0, head->plan->rows);
  attend_split(head, 0, head->plan->rows, split, state);
}

static float *out_row(const KvHead *head, size_t row) {
  const Problem *const p = head->job->problem;
  return problem_out(p, &head->plan->sequence, row_token(p, row), row_head(p, head->g, row));
}

static void prefetch_row_to_write(float *row, size_t floats) {
  for (size_t e = 0; e < floats; e += 64 / sizeof(float)) __builtin_prefetch(row + e, 1, 3);
}

void query_tile_finish(const KvHead *head, size_t row, size_t rows, Online state) {
  const Problem *const p = head->job->problem;
  const size_t ahead = 4;
  for (size_t r = 0; r < rows; r++) {
    const size_t i = row_token(p, row + r), h = row_head(p, head->g, row + r);
    float *const lse = problem_lse(&head->plan->sequence, i, h);
    if (r + ahead < rows) {
      prefetch_row_to_write(out_row(head, row + r + ahead), p->shape.value_dim);
    }
    if (p->options.sinks) online_add_logit(head->job->kernels, state, r, score_mod_sink(p, h));
    online_finish(state, r, out_row(head, row + r));
    if (lse) *lse = online_lse(state, r);
  }
}
