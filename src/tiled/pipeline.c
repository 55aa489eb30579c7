/* pipeline.c - owns the order in which overlapping visits go through their stages.
 *
 * A processor looks ahead over a window of some 500 micro-operations. A panel of scores for 32 rows
 * is 16 dot products of AMX tiles at D = 128: 256 cycles of their unit and some 200
 * micro-operations. Four rows of softmax are about 600 micro-operations and 280 cycles of the vector
 * units. In parts of that size, one after the other in the program, the window always holds work for
 * both units.
 */
#include "tiled/pipeline.h"

#include "tiled/kv_source.h"

#define VISITS 3
#define PARTS (KEY_TILE / KERNEL_PANEL)

_Static_assert(KERNEL_MAX_ROWS <= 2 * PARTS * KERNEL_MIN_ROWS, "no part has more than R rows");

typedef struct Pipeline {
  size_t begun;         /* visits since the last drain */
  size_t tile;          /* place of the tile kept last */
  bool tile_is_visited; /* whether any visit was to that tile */
  Visit visits[VISITS]; /* visit k is in place k % VISITS */
  Tile tiles[VISITS];
} Pipeline;

bool pipeline_pays(const Job *job) {
  return job->kernels->gemm_bf16_has_own_unit && job->tiling->bf16_terms > 0;
}

/* Keeps a tile for as long as a visit needs it. When a tile comes, at most two visits are under way,
 * to two tiles: the one scored last and the one before it. */
static Tile *keep_tile(Pipeline *pipeline, Tile tile) {
  if (pipeline->tile_is_visited) pipeline->tile = (pipeline->tile + 1) % VISITS;
  pipeline->tile_is_visited = false;
  pipeline->tiles[pipeline->tile] = tile;
  return &pipeline->tiles[pipeline->tile];
}

/* Softmax of part number `part` of 2 * PARTS: half of the rows go beside scores, half beside sums. */
static void soften_rows(const Visit *visit, size_t part) {
  const size_t rows = size_ceil_divide(visit->block->rows, (size_t)2 * PARTS);
  visit_softmax(visit, part * rows, (part + 1) * rows);
}

static void sum_panels(const Visit *visit, size_t part) {
  const size_t width = visit->state.stride, panels = size_ceil_divide(width, KERNEL_PANEL);
  const size_t from = part * panels / PARTS, to = (part + 1) * panels / PARTS;
  visit_weighted_sum(visit, (Columns){from * KERNEL_PANEL, size_min(to * KERNEL_PANEL, width)});
}

/* One stage each of up to three visits, part by part. The products of one visit stay
 * together, because a block of another height needs the AMX tiles configured again. */
static void advance(const Visit *scores, const Visit *softmax, const Visit *sums) {
  for (size_t part = 0; part < PARTS; part++) {
    if (scores) visit_scores(scores, part * KERNEL_PANEL, (part + 1) * KERNEL_PANEL);
    if (softmax) soften_rows(softmax, part);
  }
  for (size_t part = 0; part < PARTS; part++) {
    if (sums) sum_panels(sums, part);
    if (softmax) soften_rows(softmax, PARTS + part);
  }
}

/* Visit number k, or null if there is none. */
static Visit *visit_number(Pipeline *pipeline, size_t k) {
  return k < pipeline->begun ? &pipeline->visits[k % VISITS] : NULL;
}

/* Has a block visit a kept tile. */
static void push(Pipeline *pipeline, const Block *block, Tile *tile, Online state) {
  const size_t k = pipeline->begun;
  Visit *const visit = &pipeline->visits[k % VISITS];
  const TileScratch scratch = block->head->scratch->tiles[k % TILE_SCRATCHES];
  if (!visit_begin(block, tile, state, scratch, visit)) return;
  pipeline->tile_is_visited = true;
  pipeline->begun++;
  advance(visit, visit_number(pipeline, k - 1), visit_number(pipeline, k - 2));
}

/* Finishes all visits under way. */
static void drain(Pipeline *pipeline) {
  const size_t k = pipeline->begun;
  advance(NULL, visit_number(pipeline, k - 1), visit_number(pipeline, k - 2));
  advance(NULL, NULL, visit_number(pipeline, k - 1));
  pipeline->begun = 0;
}

void pipeline_attend_tiles(const KvHead *head, const Block *blocks, size_t count, size_t first,
                           size_t end, Online state) {
  const KvSource *const source = head->plan->source;
  Pipeline pipeline; /* visits and tiles are set when they begin */
  pipeline.begun = 0;
  pipeline.tile = 0;
  pipeline.tile_is_visited = false;
  for (size_t key = first; key < end; key += KEY_TILE) {
    if (source->fetch_overwrites) drain(&pipeline);
    Tile *const tile = keep_tile(&pipeline, source->fetch(head, key / KEY_TILE));
    for (size_t k = 0; k < count; k++) {
      push(&pipeline, &blocks[k], tile, online_from(state, blocks[k].row - blocks[0].row));
    }
  }
  drain(&pipeline);
}
