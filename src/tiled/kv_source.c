/* kv_source.c - fetches tiles from each source, and packs those that are packed ahead. */
#include "tiled/kv_source.h"

#include "tiled/tile_pack.h"

/* ---- packed ahead by the thread of the head ---- */

static float *head_keys(const KvHead *head, size_t tile) {
  return head->scratch->key + (tile - head->plan->tile_begin) * head->job->tiling->key_tile_words;
}

static float *head_values(const KvHead *head, size_t tile) {
  return head->scratch->value +
         (tile - head->plan->tile_begin) * head->job->tiling->value_tile_words;
}

void kv_source_pack_head(const KvHead *head) {
  for (size_t tile = head->plan->tile_begin; tile < head->plan->tile_end; tile++) {
    tile_pack(head, tile, head_keys(head, tile), head_values(head, tile));
  }
}

static Tile fetch_of_head(const KvHead *head, size_t tile) {
  return tile_packed(head, tile, head_keys(head, tile), head_values(head, tile));
}

const KvSource kv_source_head = {.description = "K and V packed head by head",
                                 .fetch = fetch_of_head,
                                 .packed_by = PACKED_BY_ITS_THREAD};

/* ---- packed ahead by all threads ---- */

/* The keys of a tile; its values stand behind them. */
static float *shared_keys(const KvHead *head, size_t tile) {
  const Tiling *const t = head->job->tiling;
  const SequencePlan *const plan = head->plan;
  return layout_at(head->job->workspace, t->packed_at) + plan->packed_at +
         (head->g * sequence_plan_tiles(plan) + tile - plan->tile_begin) *
             (t->key_tile_words + t->value_tile_words);
}

void kv_source_pack_shared(const Job *job, const SequencePlan *plan, size_t panel) {
  const size_t first = plan->tile_begin * KEY_TILE + panel * KERNEL_PANEL;
  if (first >= plan->sequence.key_limit) return;
  for (size_t g = 0; g < job->problem->shape.kv_heads; g++) {
    const KvHead head = {job, plan, g, NULL};
    float *const key = shared_keys(&head, first / KEY_TILE);
    tile_pack_panel(&head, first, key, key + job->tiling->key_tile_words);
  }
}

size_t kv_source_shared_panels(const SequencePlan *plan) {
  if (plan->source->packed_by != PACKED_BY_ALL_THREADS || plan->rows == 0) return 0;
  return sequence_plan_tiles(plan) * (KEY_TILE / KERNEL_PANEL);
}

static Tile fetch_shared(const KvHead *head, size_t tile) {
  float *const key = shared_keys(head, tile);
  return tile_packed(head, tile, key, key + head->job->tiling->key_tile_words);
}

const KvSource kv_source_shared = {.description = "K and V packed once for all threads",
                                   .fetch = fetch_shared,
                                   .packed_by = PACKED_BY_ALL_THREADS};

/* ---- found or made when its turn comes ---- */

static Tile fetch_local(const KvHead *head, size_t tile) {
  const Scratch *const s = head->scratch;
  tile_pack(head, tile, s->key, s->value);
  return tile_packed(head, tile, s->key, s->value);
}

const KvSource kv_source_local = {.description = "K and V packed tile by tile",
                                  .fetch = fetch_local,
                                  .scratch_tile = true,
                                  .fetch_overwrites = true};

const KvSource kv_source_in_place = {.description = "K and V read in place",
                                     .fetch = tile_in_place};

/* Over a cache a thread has room for a tile whatever the storage, so that a plan made before the
 * cache is opened suffices for any. */
const KvSource kv_source_cached = {.description = "K and V read from the cache as packed",
                                   .fetch = tile_of_cache,
                                   .scratch_tile = true,
                                   .as_stored = true};

static Tile fetch_gathered(const KvHead *head, size_t tile) {
  return tile_gather(head, tile, head->scratch->value);
}

const KvSource kv_source_gathered = {.description =
                                         "K read from the cache as packed, V gathered tile by tile",
                                     .fetch = fetch_gathered,
                                     .scratch_tile = true,
                                     .fetch_overwrites = true,
                                     .as_stored = true};

static Tile fetch_widened(const KvHead *head, size_t tile) {
  return tile_widen(head, tile, head->scratch->key, head->scratch->value);
}

const KvSource kv_source_widened = {.description = "K and V of the cache widened tile by tile",
                                    .fetch = fetch_widened,
                                    .scratch_tile = true,
                                    .fetch_overwrites = true};

static Tile fetch_converted(const KvHead *head, size_t tile) {
  return tile_convert(head, tile, head->scratch->key, head->scratch->value);
}

const KvSource kv_source_converted = {.description = "K and V of the cache converted tile by tile",
                                      .fetch = fetch_converted,
                                      .scratch_tile = true,
                                      .fetch_overwrites = true};

size_t kv_source_scratch_tiles(const SequencePlan *plan) {
  if (plan->source->packed_by == PACKED_BY_ITS_THREAD) return sequence_plan_tiles(plan);
  return plan->source->scratch_tile ? 1 : 0;
}
