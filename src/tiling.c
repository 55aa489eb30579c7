/* tiling.c - cuts a problem into tiles and lays out the workspace.
 *
 * Sizes are checked for overflow here; the run that follows uses plain arithmetic.
 */
#include "tiling.h"

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
  const size_t tiles = t->source == SOURCE_HEAD ? t->key_tiles : t->source == SOURCE_LOCAL ? 1 : 0;
  const size_t query = layout_floats(layout, t->query_tile, p->shape.head_dim);
  const size_t scores = layout_floats(layout, t->R, KEY_TILE);
  const size_t rescale = layout_floats(layout, KERNEL_MAX_ROWS, 1);
  const size_t key = layout_floats(layout, tiles, t->key_tile_floats);
  const size_t value = layout_floats(layout, tiles, t->value_tile_floats);
  Scratch s = {.split = place_online(base, layout, t->query_tile, Dv, t->acc_stride),
               .total = place_online(base, layout, t->query_tile, Dv, t->acc_stride)};
  if (base) {
    s.query = layout_at(base, query);
    s.scores = layout_at(base, scores);
    s.rescale = layout_at(base, rescale);
    s.key = layout_at(base, key);
    s.value = layout_at(base, value);
  }
  return s;
}

/* Whether kv heads alone share the work out well: as many on each thread, or so many that the last
 * ones to finish do not matter. */
static bool heads_fill(const Tiling *t, size_t threads) {
  return t->heads % threads == 0 || t->heads >= 8 * threads;
}

static Source choose_source(const Tiling *t, size_t threads) {
  if (t->rows <= t->R) return SOURCE_DIRECT;
  if (t->query_tiles <= 1) return SOURCE_LOCAL;
  return heads_fill(t, threads) ? SOURCE_HEAD : SOURCE_SHARED;
}

/* Rows of a query tile: as many as fit, fewer where that would leave threads without work. Few rows
 * against many keys stay together, since splits of the keys then share the work. */
static size_t choose_query_tile(const Tiling *t, size_t threads) {
  const size_t all = size_max(size_round_up(t->rows, t->R), t->R);
  if (all <= 2 * t->R || (all <= QUERY_TILE && t->splits > 1)) return all;
  const size_t pieces = heads_fill(t, threads) ? 1 : size_ceil_divide(4 * threads, t->heads);
  const size_t fair = size_round_up(size_ceil_divide(t->rows, pieces), t->R);
  return size_min(fair, QUERY_TILE);
}

Tiling tiling_of(const AttendContext *context, const Problem *p) {
  const AttendShape *const s = &p->shape;
  Layout layout = {0};
  bool *const overflow = &layout.overflow;
  Tiling t = {.R = context->kernels->rows, .W = context->kernels->panel};
  t.heads = size_multiply(s->batch, s->kv_heads, overflow);
  t.rows = size_multiply(s->query_tokens, p->group, overflow);
  const size_t seen = s->query_tokens ? problem_visible(p, s->query_tokens - 1) : 0;
  t.key_tiles = size_ceil_divide(seen, KEY_TILE);
  t.key_panels = size_ceil_divide(seen, t.W);
  t.splits = size_ceil_divide(seen, KEY_SPLIT);
  t.query_tile = choose_query_tile(&t, context->settings.threads);
  t.query_tiles = size_ceil_divide(t.rows, t.query_tile);
  t.value_panels = size_ceil_divide(s->value_dim, t.W);
  t.acc_stride = size_multiply(t.value_panels, t.W, overflow);
  t.key_tile_floats = size_multiply(s->head_dim, KEY_TILE, overflow);
  t.value_tile_floats = size_multiply(t.acc_stride, KEY_TILE, overflow);
  t.source = choose_source(&t, context->settings.threads);
  t.by_split = (t.source == SOURCE_LOCAL || t.source == SOURCE_DIRECT) && t.splits > 1 &&
               t.heads < 4 * context->settings.threads;

  if (t.source == SOURCE_SHARED) {
    const size_t tiles = size_multiply(t.heads, t.key_tiles, overflow);
    t.keys_at = layout_floats(&layout, tiles, t.key_tile_floats);
    t.values_at = layout_floats(&layout, tiles, t.value_tile_floats);
  }
  if (t.by_split) {
    Layout one = {0};
    place_online(NULL, &one, t.query_tile, s->value_dim, t.acc_stride);
    t.partial_bytes = one.bytes;
    t.partials_at = layout_floats(&layout, size_multiply(t.heads, t.splits, overflow),
                                  one.bytes / sizeof(float));
  }
  Layout scratch = {.overflow = layout.overflow};
  place_scratch(&t, p, NULL, &scratch);
  t.thread_bytes = scratch.bytes;
  t.threads_at = layout_floats(&layout, context->settings.threads, scratch.bytes / sizeof(float));
  t.bytes = layout.bytes;
  t.overflow = layout.overflow || scratch.overflow;
  return t;
}

Scratch tiling_scratch(const Tiling *t, const Problem *p, void *workspace, size_t thread) {
  Layout layout = {0};
  return place_scratch(t, p, (char *)workspace + t->threads_at + thread * t->thread_bytes, &layout);
}

Online tiling_partial(const Tiling *t, const Problem *p, void *workspace, size_t head,
                      size_t split) {
  Layout layout = {0};
  char *const base =
      (char *)workspace + t->partials_at + (head * t->splits + split) * t->partial_bytes;
  return place_online(base, &layout, t->query_tile, p->shape.value_dim, t->acc_stride);
}
