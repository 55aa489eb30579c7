/* sequence_plan.c - chooses query tiles, the source of K and V, and the pieces of work. */
#include "tiled/sequence_plan.h"

#include "storage/storage.h"
#include "tiled/kv_source.h"

/* Whether kv heads alone occupy all threads: as many heads on each thread, or so many heads that
 * the last ones to finish do not matter. */
static bool heads_fill(size_t heads, size_t threads) {
  return heads % threads == 0 || heads >= 8 * threads;
}

/* A page is multiplied as it lies where the precision allows it. A cache that does not exist yet is
 * taken to store what the context's precision multiplies. Only bf16 numbers are multiplied by bf16
 * terms. */
static const KvSource *choose_cached_source(const AttendCache *cache, size_t rows, size_t R,
                                            size_t bf16_terms) {
  if (!cache) return &kv_source_cached;
  const KernelNumber number = cache->keys.number;
  if (bf16_terms == 0) {
    if (number == KERNEL_FP32) return &kv_source_cached;
    return cache->keys.terms == 1 && rows <= R ? &kv_source_cached : &kv_source_widened;
  }
  if (number != KERNEL_BF16) return &kv_source_converted;
  return bf16_terms > 1 && cache->page_tokens < KEY_TILE ? &kv_source_gathered : &kv_source_cached;
}

static const KvSource *choose_source(const Problem *p, const SequencePlan *plan, size_t R,
                                     size_t bf16_terms, bool heads_fill_threads) {
  if (p->has_cache) return choose_cached_source(p->cache, plan->rows, R, bf16_terms);
  if (bf16_terms == 0 && plan->rows <= R) return &kv_source_in_place;
  if (plan->query_tiles <= 1) return &kv_source_local;
  return heads_fill_threads ? &kv_source_head : &kv_source_shared;
}

/* Rows of a query tile: as many as fit, fewer where that would leave threads without work. Few rows
 * against many keys stay together, because splits of the keys then share the work. */
static size_t choose_query_tile(size_t rows, size_t splits, size_t R, size_t heads,
                                size_t threads) {
  const size_t all = size_max(size_round_up(rows, R), R);
  if (all <= 2 * R || (all <= QUERY_TILE && splits > 1)) return all;
  const size_t pieces = heads_fill(heads, threads) ? 1 : size_ceil_divide(4 * threads, heads);
  const size_t fair = size_round_up(size_ceil_divide(rows, pieces), R);
  return size_min(fair, QUERY_TILE);
}

/* The keys that any row of a sequence sees. */
static KeyRange visible_keys(const Problem *p, const Sequence *s) {
  if (s->query_tokens == 0) return (KeyRange){0, 0};
  const KeyRange first = problem_range(p, s, 0), last = problem_range(p, s, s->query_tokens - 1);
  return (KeyRange){size_min(first.begin, last.end), last.end};
}

size_t sequence_plan_block_rows(const AttendContext *context) {
  const bool pairs = precision_terms(context->settings.precision) > 0;
  return pairs ? context->kernels->gemm_bf16_rows : context->kernels->block_rows;
}

SequencePlan sequence_plan_of(const AttendContext *context, const Problem *p, size_t b,
                              size_t heads, bool *overflow) {
  const size_t threads = context->settings.threads, R = sequence_plan_block_rows(context);
  const size_t bf16_terms = precision_terms(context->settings.precision);
  SequencePlan plan = {.sequence = problem_sequence(p, b)};
  const KeyRange keys = visible_keys(p, &plan.sequence);
  plan.rows = size_multiply(plan.sequence.query_tokens, p->group, overflow);
  plan.tile_begin = keys.begin / KEY_TILE;
  plan.tile_end = size_ceil_divide(keys.end, KEY_TILE);
  plan.split_begin = keys.begin / KEY_SPLIT;
  plan.split_end = size_max(size_ceil_divide(keys.end, KEY_SPLIT), plan.split_begin);
  const size_t splits = plan.split_end - plan.split_begin;
  plan.query_tile = choose_query_tile(plan.rows, splits, R, heads, threads);
  plan.query_tiles = size_ceil_divide(plan.rows, plan.query_tile);
  plan.source = choose_source(p, &plan, R, bf16_terms, heads_fill(heads, threads));
  plan.by_split = plan.source->packed_by == PACKED_BY_NOBODY && plan.query_tiles == 1 &&
                  splits > 1 && heads < 4 * threads;
  plan.pieces = plan.source->packed_by == PACKED_BY_ITS_THREAD ? 1
                : plan.by_split                                ? splits
                                                               : plan.query_tiles;
  plan.pieces = plan.rows ? size_multiply(plan.pieces, p->shape.kv_heads, overflow) : 0;
  const KeyRange first = plan.rows ? problem_range(p, &plan.sequence, 0) : keys;
  plan.pairs = (double)plan.rows *
               ((double)(first.end - first.begin) + (double)(keys.end - keys.begin) + 1.0);
  return plan;
}

/* Sifts entry i down a heap whose root is the plan with the fewest pairs. */
static void sift(SequencePlan *plans, size_t count, size_t i) {
  for (;;) {
    size_t least = i;
    for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
      if (plans[child].pairs < plans[least].pairs) least = child;
    }
    if (least == i) return;
    const SequencePlan swap = plans[i];
    plans[i] = plans[least];
    plans[least] = swap;
    i = least;
  }
}

/* A heap sort, because qsort() may allocate. */
void sequence_plans_sort(SequencePlan *plans, size_t count) {
  for (size_t i = count / 2; i > 0; i--) sift(plans, count, i - 1);
  for (size_t end = count; end > 1; end--) {
    const SequencePlan swap = plans[0];
    plans[0] = plans[end - 1];
    plans[end - 1] = swap;
    sift(plans, end - 1, 0);
  }
}
