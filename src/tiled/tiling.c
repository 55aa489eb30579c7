/* tiling.c - cuts a problem into tiles and lays out the workspace.
 *
 * Sizes are checked for overflow here; the run that follows uses plain arithmetic.
 */
#include "tiled/tiling.h"

#include "cache/kvcache.h"
#include "storage/storage.h"

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
  size_t scores[INTERIMS], rescale[INTERIMS], weights[INTERIMS];
  for (size_t k = 0; k < INTERIMS; k++) {
    scores[k] = layout_floats(layout, t->R, KEY_TILE);
    rescale[k] = layout_floats(layout, KERNEL_MAX_ROWS, 1);
    weights[k] = layout_floats(layout, t->bf16_terms * t->R, KEY_TILE / 2);
  }
  const size_t key = layout_floats(layout, t->local_tiles, t->key_tile_words);
  const size_t value = layout_floats(layout, t->local_tiles, t->value_tile_words);
  const size_t terms = size_max(t->bf16_terms, 1);
  const size_t visible =
      layout_floats(layout, t->in_pairs ? terms * KEY_TILE / 2 : 0, t->value_columns);
  Scratch s = {.split = place_online(base, layout, t->query_tile, Dv, t->acc_stride),
               .total = place_online(base, layout, t->query_tile, Dv, t->acc_stride)};
  if (base) {
    s.query = layout_at(base, query);
    for (size_t k = 0; k < INTERIMS; k++) {
      s.interims[k] = (TileScratch){layout_at(base, scores[k]), layout_at(base, rescale[k]),
                                    words_as_pairs(layout_at(base, weights[k]))};
    }
    s.key = layout_at(base, key);
    s.value = layout_at(base, value);
    s.visible = words_as_pairs(layout_at(base, visible));
  }
  return s;
}

/* Whether kv heads alone share the work out well: as many on each thread, or so many that the last
 * ones to finish do not matter. */
static bool heads_fill(size_t heads, size_t threads) {
  return heads % threads == 0 || heads >= 8 * threads;
}

/* Pages are multiplied as they lie, if they can be. A cache that is not there yet is taken to be
 * one of the context's own storage. Numbers in fp16 meet floats alone. */
static KvSource choose_cached_source(const AttendCache *cache, const SequencePlan *cut, size_t R,
                                     size_t bf16_terms) {
  const size_t terms = cache ? cache->terms : bf16_terms;
  const size_t page_tokens = cache ? cache->page_tokens : KEY_TILE;
  if (bf16_terms == 0 && terms > 0) {
    return terms == 1 && cut->rows <= R ? KV_SOURCE_CACHED : KV_SOURCE_WIDENED;
  }
  const bool split = terms == 0 || (cache && cache->number == KERNEL_FP16);
  if (bf16_terms > 0 && split) return KV_SOURCE_CONVERTED;
  return bf16_terms > 1 && page_tokens < KEY_TILE ? KV_SOURCE_GATHERED : KV_SOURCE_CACHED;
}

static KvSource choose_source(const Problem *p, const SequencePlan *cut, size_t R,
                              size_t bf16_terms, size_t heads, size_t threads) {
  if (p->has_cache) return choose_cached_source(p->cache, cut, R, bf16_terms);
  if (bf16_terms == 0 && cut->rows <= R) return KV_SOURCE_DIRECT;
  if (cut->query_tiles <= 1) return KV_SOURCE_LOCAL;
  return heads_fill(heads, threads) ? KV_SOURCE_HEAD : KV_SOURCE_SHARED;
}

/* Rows of a query tile: as many as fit, fewer where that would leave threads without work. Few rows
 * against many keys stay together, since splits of the keys then share the work. */
static size_t choose_query_tile(size_t rows, size_t splits, size_t R, size_t heads,
                                size_t threads) {
  const size_t all = size_max(size_round_up(rows, R), R);
  if (all <= 2 * R || (all <= QUERY_TILE && splits > 1)) return all;
  const size_t pieces = heads_fill(heads, threads) ? 1 : size_ceil_divide(4 * threads, heads);
  const size_t fair = size_round_up(size_ceil_divide(rows, pieces), R);
  return size_min(fair, QUERY_TILE);
}

/* Keys that any row of a sequence sees. */
static KeyRange keys_seen(const Problem *p, const Sequence *s) {
  if (s->query_tokens == 0) return (KeyRange){0, 0};
  const KeyRange first = problem_range(p, s, 0), last = problem_range(p, s, s->query_tokens - 1);
  return (KeyRange){size_min(first.begin, last.end), last.end};
}

/* Rows of a register block. */
static size_t block_rows(const AttendContext *context) {
  const bool pairs = precision_terms(context->settings.precision) > 0;
  return pairs ? context->kernels->gemm_bf16_rows : context->kernels->block_rows;
}

static SequencePlan cut_sequence(const AttendContext *context, const Problem *p, size_t b,
                                 size_t heads, bool *overflow) {
  const size_t threads = context->settings.threads, R = block_rows(context);
  SequencePlan cut = {.sequence = problem_sequence(p, b)};
  const KeyRange keys = keys_seen(p, &cut.sequence);
  cut.rows = size_multiply(cut.sequence.query_tokens, p->group, overflow);
  cut.tile_begin = keys.begin / KEY_TILE;
  cut.tile_end = size_ceil_divide(keys.end, KEY_TILE);
  cut.split_begin = keys.begin / KEY_SPLIT;
  cut.split_end = size_max(size_ceil_divide(keys.end, KEY_SPLIT), cut.split_begin);
  const size_t splits = cut.split_end - cut.split_begin;
  cut.query_tile = choose_query_tile(cut.rows, splits, R, heads, threads);
  cut.query_tiles = size_ceil_divide(cut.rows, cut.query_tile);
  cut.source =
      choose_source(p, &cut, R, precision_terms(context->settings.precision), heads, threads);
  cut.by_split = cut.source != KV_SOURCE_HEAD && cut.source != KV_SOURCE_SHARED &&
                 cut.query_tiles == 1 && splits > 1 && heads < 4 * threads;
  cut.pieces = cut.source == KV_SOURCE_HEAD ? 1 : cut.by_split ? splits : cut.query_tiles;
  cut.pieces = cut.rows ? size_multiply(cut.pieces, p->shape.kv_heads, overflow) : 0;
  const KeyRange first = cut.rows ? problem_range(p, &cut.sequence, 0) : keys;
  cut.pairs = (double)cut.rows *
              ((double)(first.end - first.begin) + (double)(keys.end - keys.begin) + 1.0);
  return cut;
}

/* Panels of keys that are packed ahead for all threads. */
static size_t packs_of(const SequencePlan *cut) {
  return cut->source == KV_SOURCE_SHARED && cut->rows
             ? (cut->tile_end - cut->tile_begin) * (KEY_TILE / KERNEL_PANEL)
             : 0;
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

/* Tiles that a thread has room for, to pack a cut's. Over a cache it is one whatever the storage,
 * so that a plan made without the cache suffices for any. */
static size_t local_tiles_of(const SequencePlan *cut) {
  switch (cut->source) {
  case KV_SOURCE_HEAD:
    return cut->tile_end - cut->tile_begin;
  case KV_SOURCE_LOCAL:
  case KV_SOURCE_GATHERED:
  case KV_SOURCE_WIDENED:
  case KV_SOURCE_CONVERTED:
  case KV_SOURCE_CACHED:
    return 1;
  case KV_SOURCE_SHARED:
  case KV_SOURCE_DIRECT:
    break;
  }
  return 0;
}

Tiling tiling_of(const AttendContext *context, const Problem *p) {
  const AttendShape *const s = &p->shape;
  Layout layout = {0};
  bool *const overflow = &layout.overflow;
  Tiling t = {.R = block_rows(context),
              .W = context->kernels->block_columns,
              .bf16_terms = precision_terms(context->settings.precision)};
  t.in_pairs = t.bf16_terms > 0 || p->has_cache;
  t.acc_stride = size_multiply(size_ceil_divide(s->value_dim, t.W), t.W, overflow);
  measure_tiles(p, &t, overflow);
  const size_t heads = size_multiply(s->batch, s->kv_heads, overflow);
  size_t shared_tiles = 0, partials = 0;
  for (size_t b = 0; b < s->batch; b++) {
    const SequencePlan cut = cut_sequence(context, p, b, heads, overflow);
    const size_t tiles = cut.tile_end - cut.tile_begin;
    if (b == 0) t.first = cut;
    t.pairs += cut.pairs * (double)s->kv_heads;
    t.query_tile = size_max(t.query_tile, cut.query_tile);
    t.pieces = size_add(t.pieces, cut.pieces, overflow);
    t.packs = size_add(t.packs, packs_of(&cut), overflow);
    if (cut.source == KV_SOURCE_SHARED) shared_tiles = size_add(shared_tiles, tiles, overflow);
    t.local_tiles = size_max(t.local_tiles, local_tiles_of(&cut));
    if (cut.by_split && cut.rows) {
      partials = size_add(partials, cut.pieces, overflow);
      t.merges = size_add(t.merges, s->kv_heads, overflow);
    }
  }
  t.cuts_at = layout_floats(&layout, s->batch, sizeof(SequencePlan) / sizeof(float));
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

/* Sifts entry i of a heap whose root is the cut with the fewest pairs. */
static void sift(SequencePlan *cuts, size_t count, size_t i) {
  for (;;) {
    size_t least = i;
    for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
      if (cuts[child].pairs < cuts[least].pairs) least = child;
    }
    if (least == i) return;
    const SequencePlan swap = cuts[i];
    cuts[i] = cuts[least];
    cuts[least] = swap;
    i = least;
  }
}

/* Most pairs first. qsort() may allocate, so this is a heap sort. */
static void sort_cuts(SequencePlan *cuts, size_t count) {
  for (size_t i = count / 2; i > 0; i--) sift(cuts, count, i - 1);
  for (size_t end = count; end > 1; end--) {
    const SequencePlan swap = cuts[0];
    cuts[0] = cuts[end - 1];
    cuts[end - 1] = swap;
    sift(cuts, end - 1, 0);
  }
}

SequencePlan *tiling_cuts(const AttendContext *context, const Tiling *t, const Problem *p,
                          void *workspace) {
  SequencePlan *const cuts = (SequencePlan *)(void *)layout_at(workspace, t->cuts_at);
  const size_t heads = p->shape.batch * p->shape.kv_heads;
  bool overflow = false;
  for (size_t b = 0; b < p->shape.batch; b++)
    cuts[b] = cut_sequence(context, p, b, heads, &overflow);
  sort_cuts(cuts, p->shape.batch);
  size_t pieces = 0, packs = 0, merges = 0, packed = 0, partials = 0;
  for (size_t b = 0; b < p->shape.batch; b++) {
    SequencePlan *const cut = &cuts[b];
    cut->first_piece = pieces;
    cut->first_pack = packs;
    cut->first_merge = merges;
    cut->packed_at = packed;
    cut->partial_at = partials;
    pieces += cut->pieces;
    packs += packs_of(cut);
    if (cut->source == KV_SOURCE_SHARED) {
      packed += (cut->tile_end - cut->tile_begin) * p->shape.kv_heads *
                (t->key_tile_words + t->value_tile_words);
    }
    if (cut->by_split && cut->rows) {
      merges += p->shape.kv_heads;
      partials += cut->pieces;
    }
  }
  return cuts;
}

Scratch tiling_scratch(const Tiling *t, const Problem *p, void *workspace, size_t thread) {
  Layout layout = {0};
  return place_scratch(t, p, (char *)workspace + t->threads_at + thread * t->thread_bytes, &layout);
}

Online tiling_partial(const Tiling *t, const Problem *p, void *workspace, const SequencePlan *cut,
                      size_t kv_head, size_t split) {
  Layout layout = {0};
  const size_t splits = cut->split_end - cut->split_begin;
  const size_t number = cut->partial_at + kv_head * splits + (split - cut->split_begin);
  char *const base = (char *)workspace + t->partials_at + number * t->partial_bytes;
  return place_online(base, &layout, t->query_tile, p->shape.value_dim, t->acc_stride);
}
