/* kvcache.c - opens and closes a cache, and answers questions about its sizes.
 *
 * attend_open_cache() allocates all that a cache will ever need, in one block: the pool of pages,
 * the tables and the list of free pages. Nothing is allocated afterwards; tokens that do not fit are
 * refused.
 */
#include "cache/kvcache.h"

#include <stdlib.h>

#include "context.h"
#include "platform/memory.h"
#include "problem/shape.h"
#include "size.h"
#include "storage/storage.h"

void attend_default_cache_settings(AttendCacheSettings *settings) {
  if (!settings) return;
  *settings =
      (AttendCacheSettings){.struct_size = sizeof *settings, .sequences = 1, .block_tokens = 128};
}

static AttendStatus check_sizes(const AttendLayerShape *shape, const AttendCacheSettings *settings,
                                Fault *fault) {
  const NamedSize sizes[] = {
      {"settings.sequences", settings->sequences}, {"settings.capacity", settings->capacity},
      {"shape.query_heads", shape->query_heads},   {"shape.kv_heads", shape->kv_heads},
      {"shape.head_dim", shape->head_dim},         {"shape.value_dim", shape->value_dim}};
  if (shape_check_positive(sizes, sizeof sizes / sizeof *sizes, fault)) return fault->status;
  return shape_check_heads(shape->query_heads, shape->kv_heads, fault);
}

static AttendStatus check_choices(const AttendCacheSettings *settings, Fault *fault) {
  const size_t block = settings->block_tokens;
  if (settings->struct_size != sizeof *settings) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "settings.struct_size is %zu; attend_default_cache_settings() sets it to %zu",
                     settings->struct_size, sizeof *settings);
  }
  if (block != 32 && block != 64 && block != 128) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "settings.block_tokens is %zu; it must be 32, 64 or 128", block);
  }
  if (!attend_storage_name(settings->storage)) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "settings.storage is %d; it must be one of ATTEND_STORAGE_..., 0 to %d",
                     (int)settings->storage, ATTEND_STORAGE_COUNT - 1);
  }
  if (settings->window && settings->pool_blocks) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "settings.window is %zu and settings.pool_blocks is %zu; a ring has no pool, "
                     "so one of them must be 0",
                     settings->window, settings->pool_blocks);
  }
  return ATTEND_OK;
}

/* Sizes of the cache, and where its parts lie in one block of memory. */
typedef struct CachePlan {
  AttendCache cache; /* pointers are null */
  size_t free_list_at, references_at, table_at, lengths_at, firsts_at, pool_at;
  Layout layout;
} CachePlan;

static size_t place_sizes(Layout *layout, size_t count) {
  return layout_floats(layout, count, sizeof(size_t) / sizeof(float));
}

/* Lays out the keys and values of one kv head in a page: all panels of one term, then the next. */
static void place_matrices(AttendCache *c, StorageFormat format, bool *overflow) {
  const size_t value_panels = size_ceil_divide(c->value_dim, KERNEL_PANEL);
  const size_t key_rows = stored_word_rows(format.number, c->head_dim);
  const size_t value_rows = stored_word_rows(format.number, c->page_tokens);
  c->value_columns = size_multiply(value_panels, KERNEL_PANEL, overflow);
  c->keys = (StoredMatrix){.number = format.number,
                           .terms = format.terms,
                           .panel_columns = KERNEL_PANEL,
                           .term_stride = size_multiply(key_rows, c->page_tokens, overflow),
                           .panel_stride = size_multiply(key_rows, KERNEL_PANEL, overflow)};
  c->values = (StoredMatrix){.number = format.number,
                             .terms = format.terms,
                             .panel_columns = KERNEL_PANEL,
                             .term_stride = size_multiply(value_rows, c->value_columns, overflow),
                             .panel_stride = value_rows * KERNEL_PANEL};
  c->value_at = size_multiply(format.terms, c->keys.term_stride, overflow);
  c->head_words =
      size_add(c->value_at, size_multiply(format.terms, c->values.term_stride, overflow), overflow);
}

/* Fills the plan for a cache in that storage. The layout says if it cannot be counted in bytes. */
static void plan_cache(const AttendLayerShape *shape, const AttendCacheSettings *settings,
                       AttendStorage storage, CachePlan *plan) {
  *plan = (CachePlan){.cache = {.sequences = settings->sequences,
                                .kv_heads = shape->kv_heads,
                                .head_dim = shape->head_dim,
                                .value_dim = shape->value_dim,
                                .page_tokens = settings->block_tokens,
                                .window = settings->window,
                                .shared_pool = settings->pool_blocks > 0}};
  AttendCache *const c = &plan->cache;
  Layout *const layout = &plan->layout;
  bool *const overflow = &layout->overflow;
  c->sequence_pages = size_ceil_divide(settings->capacity, c->page_tokens);
  c->capacity = size_multiply(c->sequence_pages, c->page_tokens, overflow);
  const size_t entries = size_multiply(c->sequences, c->sequence_pages, overflow);
  c->pages = c->shared_pool ? settings->pool_blocks : entries;

  place_matrices(c, storage_format(storage), overflow);
  c->page_words = size_multiply(c->kv_heads, c->head_words, overflow);

  layout_floats(layout, size_ceil_divide(sizeof(AttendCache), sizeof(float)), 1);
  plan->free_list_at = place_sizes(layout, c->pages);
  plan->references_at = place_sizes(layout, c->pages);
  plan->table_at = place_sizes(layout, entries);
  plan->lengths_at = place_sizes(layout, c->sequences);
  plan->firsts_at = place_sizes(layout, c->sequences);
  plan->pool_at = layout_floats(layout, c->pages, c->page_words);
  c->bytes = layout->bytes;
}

static size_t *sizes_at(void *memory, size_t offset) {
  return (size_t *)(void *)layout_at(memory, offset);
}

/* A cache of empty sequences. With a pool all pages are free; without one each sequence owns its
 * pages. */
static AttendCache *place_cache(const CachePlan *plan, void *memory) {
  AttendCache *const c = memory;
  *c = plan->cache;
  c->free_list = sizes_at(memory, plan->free_list_at);
  c->references = sizes_at(memory, plan->references_at);
  c->table = sizes_at(memory, plan->table_at);
  c->lengths = sizes_at(memory, plan->lengths_at);
  c->firsts = sizes_at(memory, plan->firsts_at);
  c->pool = (uint32_t *)(void *)layout_at(memory, plan->pool_at);
  c->free_pages = c->shared_pool ? c->pages : 0;
  for (size_t page = 0; page < c->pages; page++) {
    c->free_list[page] = c->pages - 1 - page; /* the first pages are taken first */
    c->references[page] = c->shared_pool ? 0 : 1;
  }
  for (size_t entry = 0; entry < c->sequences * c->sequence_pages; entry++) {
    c->table[entry] = c->shared_pool ? 0 : entry;
  }
  for (size_t s = 0; s < c->sequences; s++) c->lengths[s] = c->firsts[s] = 0;
  return c;
}

AttendStatus attend_open_cache(AttendContext *context, const AttendLayerShape *shape,
                               const AttendCacheSettings *settings, AttendCache **cache) {
  if (cache) *cache = NULL;
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!shape || !settings || !cache) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null",
                     !shape      ? "shape"
                     : !settings ? "settings"
                                 : "cache");
  }
  if (check_choices(settings, fault) || check_sizes(shape, settings, fault)) return fault->status;

  const AttendStorage storage = storage_resolve(settings->storage, context->settings.precision);
  CachePlan plan;
  plan_cache(shape, settings, storage, &plan);
  if (plan.layout.overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "a cache of %zu sequences of %zu tokens (%zu blocks in a pool), %zu kv heads "
                     "and %zu + %zu numbers a token cannot be counted in bytes",
                     settings->sequences, settings->capacity, settings->pool_blocks,
                     shape->kv_heads, shape->head_dim, shape->value_dim);
  }
  if (settings->window >= plan.cache.capacity) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "settings.window is %zu and the capacity %zu tokens; the window must be "
                     "smaller, so that a new token has a place beside it",
                     settings->window, plan.cache.capacity);
  }
  void *const memory = memory_allocate(plan.layout.bytes);
  if (!memory) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes for a cache of %zu blocks of %zu tokens could not be allocated",
                     plan.layout.bytes, plan.cache.pages, plan.cache.page_tokens);
  }
  *cache = place_cache(&plan, memory);
  return ATTEND_OK;
}

void attend_close_cache(AttendCache **cache) {
  if (!cache) return;
  free(*cache);
  *cache = NULL;
}

size_t attend_cache_length(const AttendCache *cache, size_t sequence) {
  return cache && sequence < cache->sequences ? cache->lengths[sequence] : 0;
}

size_t attend_cache_first(const AttendCache *cache, size_t sequence) {
  return cache && sequence < cache->sequences ? cache->firsts[sequence] : 0;
}

size_t attend_cache_capacity(const AttendCache *cache) {
  return cache ? cache->capacity : 0;
}

size_t attend_cache_free_blocks(const AttendCache *cache) {
  return cache ? cache->free_pages : 0;
}

size_t attend_cache_token_bytes(const AttendCache *cache) {
  return cache ? cache->page_words / cache->page_tokens * sizeof(float) : 0;
}

size_t attend_cache_bytes(const AttendCache *cache) {
  return cache ? cache->bytes : 0;
}
