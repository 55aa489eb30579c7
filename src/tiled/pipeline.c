/* pipeline.c - owns the order in which visits go through their stages.
 *
 * A processor begins what it sees in a window of some 500 micro-operations. A panel of scores for
 * 32 rows is 16 dot products of tiles at D = 128, 256 cycles of their unit and some 200
 * micro-operations; four rows of softmax are about 600, some 280 cycles of the vector units. So in
 * parts of that size, one after the other in the program, the window always holds work for both.
 */
#include "tiled/pipeline.h"

#define PARTS (KEY_TILE / KERNEL_PANEL)

_Static_assert(KERNEL_MAX_ROWS <= 2 * PARTS * KERNEL_MIN_ROWS, "no part has more than R rows");

void pipeline_begin(Pipeline *pipeline, const Job *job, const Scratch *scratch) {
  pipeline->job = job;
  pipeline->scratch = scratch;
  pipeline->beside = job->kernels->gemm_bf16_has_own_unit && job->tiling.bf16_terms > 0;
  pipeline->begun = 0;
  pipeline->tile = 0;
  pipeline->tile_is_visited = false;
}

/* When a tile comes, at most two visits are under way, to two tiles: the one scored last and the
 * one softened last. */
void pipeline_keep_tile(Pipeline *pipeline, Tile tile) {
  if (pipeline->tile_is_visited) pipeline->tile = (pipeline->tile + 1) % PIPELINE_VISITS;
  pipeline->tile_is_visited = false;
  pipeline->tiles[pipeline->tile] = tile;
}

/* Part number `part` of 2 * PARTS: half of the rows go beside scores, half beside sums. */
static void soften_rows(const Job *job, const Visit *visit, size_t part) {
  const size_t rows = size_ceil_divide(visit->block->rows, (size_t)2 * PARTS);
  visit_softmax(job, visit, part * rows, (part + 1) * rows);
}

static void weigh_panels(const Job *job, const Scratch *s, const Visit *visit, size_t part) {
  const size_t width = visit->state.stride, panels = size_ceil_divide(width, KERNEL_PANEL);
  const size_t from = part * panels / PARTS, to = (part + 1) * panels / PARTS;
  visit_weighted_sum(job, s, visit,
                     (Columns){from * KERNEL_PANEL, size_min(to * KERNEL_PANEL, width)});
}

/* A stage each of up to three visits, in parts that take turns. The products of a visit stay
 * together, because blocks of other rows want their tiles configured anew. */
static void advance(const Pipeline *pipeline, const Visit *score, const Visit *soften,
                    const Visit *weighted_sum) {
  const Job *const job = pipeline->job;
  for (size_t part = 0; part < PARTS; part++) {
    if (score) visit_scores(job, score, part * KERNEL_PANEL, (part + 1) * KERNEL_PANEL);
    if (soften) soften_rows(job, soften, part);
  }
  for (size_t part = 0; part < PARTS; part++) {
    if (weighted_sum) weigh_panels(job, pipeline->scratch, weighted_sum, part);
    if (soften) soften_rows(job, soften, PARTS + part);
  }
}

static void visit_at_once(const Pipeline *pipeline, const Visit *visit) {
  const Job *const job = pipeline->job;
  visit_scores(job, visit, 0, KEY_TILE);
  visit_softmax(job, visit, 0, visit->block->rows);
  visit_weighted_sum(job, pipeline->scratch, visit, (Columns){0, visit->state.stride});
}

/* Visit number k, or null if there is none. */
static Visit *visit_number(Pipeline *pipeline, size_t k) {
  return k < pipeline->begun ? &pipeline->visits[k % PIPELINE_VISITS] : NULL;
}

void pipeline_push(Pipeline *pipeline, const Block *block, Online state) {
  const size_t k = pipeline->begun;
  Tile *const tile = &pipeline->tiles[pipeline->tile];
  Visit *const visit = &pipeline->visits[k % PIPELINE_VISITS];
  const TileScratch interim = pipeline->scratch->interims[k % INTERIMS];
  if (!visit_begin(pipeline->job, block, tile, state, interim, visit)) return;
  if (!pipeline->beside) {
    visit_at_once(pipeline, visit);
    return;
  }
  pipeline->tile_is_visited = true;
  pipeline->begun++;
  advance(pipeline, visit, visit_number(pipeline, k - 1), visit_number(pipeline, k - 2));
}

void pipeline_finish(Pipeline *pipeline) {
  const size_t k = pipeline->begun;
  advance(pipeline, NULL, visit_number(pipeline, k - 1), visit_number(pipeline, k - 2));
  advance(pipeline, NULL, NULL, visit_number(pipeline, k - 1));
  pipeline->begun = 0;
}
