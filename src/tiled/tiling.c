/* tiling.c - lays out the workspace of a call.
 *
 * Sizes are checked for overflow here. The run that follows uses plain arithmetic.
 */
#include "tiled/tiling.h"

#include "storage/storage.h"
#include "tiled/kv_source.h"

static Online place_online(void *base, Layout *layout, size_t rows, size_t columns, size_t stride) {
  const size_t max = layout_floats(layout, rows, 1), sum = layout_floats(layout, rows, 1);
  const size_t acc = layout_floats(layout, rows, stride);
  if (!base) return (Online){.columns = columns, .stride = stride};
  return (Online){layout_at(base, max), layout_at(base, sum), layout_at(base, acc), columns,
                  stride};
}

/* Lays out a thread's scratch at base, or only measures it where base is null. */
static Scratch place_scratch(const Tiling *t, const Problem *p, void *base, Layout *layout) {
  const size_t Dv = p->shape.value_dim;
  const size_t query_words = t->bf16_terms
                                 ? size_multiply(t->bf16_terms, t->key_pairs, &layout->overflow)
                                 : p->shape.head_dim;
  const size_t query = layout_floats(layout, t->query_tile, query_words);
  size_t scores[TILE_SCRATCHES], rescale[TILE_SCRATCHES], weights[TILE_SCRATCHES];
  for (size_t k = 0; k < TILE_SCRATCHES; k++) {
    scores[k] = layout_floats(layout, t->R, KEY_TILE);
    rescale[k] = layout_floats(layout, KERNEL_MAX_ROWS, 1);
    weights[k] = layout_floats(layout, t->bf16_terms * t->R, KEY_TILE / 2);
  }
  const size_t key = layout_floats(layout, t->scratch_tiles, t->key_tile_words);
  const size_t value = layout_floats(layout, t->scratch_tiles, t->value_tile_words);
  const size_t terms = size_max(t->bf16_terms, 1);
  const size_t visible =
      layout_floats(layout, t->in_pairs ? terms * KEY_TILE / 2 : 0, t->value_columns);
  Scratch s = {.split = place_online(base, layout, t->query_tile, Dv, t->acc_stride),
               .total = place_online(base, layout, t->query_tile, Dv, t->acc_stride)};
  if (base) {
    s.query = layout_at(base, query);
    for (size_t k = 0; k < TILE_SCRATCHES; k++) {
      s.tiles[k] = (TileScratch){layout_at(base, scores[k]), layout_at(base, rescale[k]),
                                 words_as_pairs(layout_at(base, weights[k]))};
    }
    s.key = layout_at(base, key);
    s.value = layout_at(base, value);
    s.visible = words_as_pairs(layout_at(base, visible));
  }
  return s;
}

/* Words of one packed tile of K and of V. Widened keys of an odd D have a row more. */
static void measure_tiles(const Problem *p, Tiling *t, bool *overflow) {
  const size_t D = p->shape.head_dim, terms = t->bf16_terms;
  t->key_pairs = size_ceil_divide(D, 2 * KERNEL_STEP) * KERNEL_STEP;
  t->value_columns =
      size_multiply(size_ceil_divide(p->shape.value_dim, KERNEL_PANEL), KERNEL_PANEL, overflow);
  const size_t depth = p->has_cache ? size_add(D, D % 2, overflow) : D;
  const size_t key_words = terms ? size_multiply(terms, t->key_pairs, overflow) : depth;
  t->key_tile_words = size_multiply(key_words, KEY_TILE, overflow);
  t->value_tile_words =
      size_multiply(terms ? terms * KEY_TILE / 2 : KEY_TILE, t->value_columns, overflow);
}

Tiling tiling_of(const AttendContext *context, const Problem *p) {
  const AttendShape *const s = &p->shape;
  Layout layout = {0};
  bool *const overflow = &layout.overflow;
  Tiling t = {.R = sequence_plan_block_rows(context),
              .W = context->kernels->block_columns,
              .bf16_terms = precision_terms(context->settings.precision)};
  t.in_pairs = t.bf16_terms > 0 || p->has_cache;
  t.acc_stride = size_multiply(size_ceil_divide(s->value_dim, t.W), t.W, overflow);
  measure_tiles(p, &t, overflow);
  const size_t heads = size_multiply(s->batch, s->kv_heads, overflow);
  size_t shared_tiles = 0, partials = 0;
  for (size_t b = 0; b < s->batch; b++) {
    const SequencePlan plan = sequence_plan_of(context, p, b, heads, overflow);
    const size_t tiles = plan.tile_end - plan.tile_begin;
    if (b == 0) t.first = plan;
    t.pairs += plan.pairs * (double)s->kv_heads;
    t.query_tile = size_max(t.query_tile, plan.query_tile);
    t.pieces = size_add(t.pieces, plan.pieces, overflow);
    t.packs = size_add(t.packs, kv_source_shared_panels(&plan), overflow);
    if (plan.source->packed_by == PACKED_BY_ALL_THREADS)
      shared_tiles = size_add(shared_tiles, tiles, overflow);
    t.scratch_tiles = size_max(t.scratch_tiles, kv_source_scratch_tiles(&plan));
    if (plan.by_split && plan.rows) {
      partials = size_add(partials, plan.pieces, overflow);
      t.merges = size_add(t.merges, s->kv_heads, overflow);
    }
  }
  t.plans_at = layout_floats(&layout, s->batch, sizeof(SequencePlan) / sizeof(float));
  t.packed_at = layout_floats(&layout, size_multiply(shared_tiles, s->kv_heads, overflow),
                              size_add(t.key_tile_words, t.value_tile_words, overflow));
  Layout one = {.overflow = layout.overflow};
  place_online(NULL, &one, t.query_tile, s->value_dim, t.acc_stride);
  t.partial_bytes = one.bytes;
  t.partials_at = layout_floats(&layout, partials, one.bytes / sizeof(float));
  Layout scratch = {.overflow = one.overflow};
  place_scratch(&t, p, NULL, &scratch);
  t.thread_bytes = scratch.bytes;
  t.threads_at = layout_floats(&layout, context->settings.threads, scratch.bytes / sizeof(float));
  t.bytes = layout.bytes;
  t.overflow = layout.overflow || scratch.overflow;
  return t;
}

const SequencePlan *tiling_place_plans(const AttendContext *context, const Tiling *t,
                                       const Problem *p, void *workspace) {
  SequencePlan *const plans = (SequencePlan *)(void *)layout_at(workspace, t->plans_at);
  const size_t heads = p->shape.batch * p->shape.kv_heads;
  bool overflow = false;
  plans[0] = t->first;
  plans[0].sequence = problem_sequence(p, 0); /* a layer's views are set after its tiling */
  for (size_t b = 1; b < p->shape.batch; b++)
    plans[b] = sequence_plan_of(context, p, b, heads, &overflow);
  sequence_plans_sort(plans, p->shape.batch);
  size_t pieces = 0, packs = 0, merges = 0, packed = 0, partials = 0;
  for (size_t b = 0; b < p->shape.batch; b++) {
    SequencePlan *const plan = &plans[b];
    plan->first_piece = pieces;
    plan->first_pack = packs;
    plan->first_merge = merges;
    plan->packed_at = packed;
    plan->partial_at = partials;
    pieces += plan->pieces;
    packs += kv_source_shared_panels(plan);
    if (plan->source->packed_by == PACKED_BY_ALL_THREADS) {
      packed += (plan->tile_end - plan->tile_begin) * p->shape.kv_heads *
                (t->key_tile_words + t->value_tile_words);
    }
    if (plan->by_split && plan->rows) {
      merges += p->shape.kv_heads;
      partials += plan->pieces;
    }
  }
  return plans;
}

Scratch tiling_scratch(const Tiling *t, const Problem *p, void *workspace, size_t thread) {
  Layout layout = {0};
  return place_scratch(t, p, (char *)workspace + t->threads_at + thread * t->thread_bytes, &layout);
}

Online tiling_partial(const Tiling *t, const Problem *p, void *workspace, const SequencePlan *plan,
                      size_t kv_head, size_t split) {
  Layout layout = {0};
  const size_t splits = plan->split_end - plan->split_begin;
  const size_t number = plan->partial_at + kv_head * splits + (split - plan->split_begin);
  char *const base = (char *)workspace + t->partials_at + number * t->partial_bytes;
  return place_online(base, &layout, t->query_tile, p->shape.value_dim, t->acc_stride);
}
