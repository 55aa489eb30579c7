/* kvcache_pages.c - takes, shares and gives back pages of the pool.
 *
 * A page counts the tables that name it. In a pool a sequence of n tokens names the pages of these
 * tokens and no others, and the free list has the pages that no table names. A page that several
 * tables name is never written: a sequence that is going to write it first gets a copy of its own.
 * Without a pool every sequence keeps its pages, and only lengths change here.
 *
 * All checks come before the first table changes.
 */
#include "cache/kvcache.h"

#include <string.h>

#include "context.h"
#include "size.h"

static size_t pages_of(const AttendCache *c, size_t tokens) {
  return size_ceil_divide(tokens, c->page_tokens);
}

static size_t *table_of(const AttendCache *c, size_t sequence) {
  return c->table + sequence * c->sequence_pages;
}

static uint32_t *words_of(const AttendCache *c, size_t page) {
  return c->pool + page * c->page_words;
}

static size_t take_page(AttendCache *c) {
  const size_t page = c->free_list[--c->free_pages];
  c->references[page] = 1;
  return page;
}

static void drop_page(AttendCache *c, size_t page) {
  if (--c->references[page] == 0) c->free_list[c->free_pages++] = page;
}

/* Gives back the pages behind the first `tokens` tokens of a sequence. Only a pool has them. */
static void drop_pages(AttendCache *c, size_t sequence, size_t tokens) {
  const size_t *const table = table_of(c, sequence);
  if (!c->shared_pool) return;
  for (size_t p = pages_of(c, tokens); p < pages_of(c, c->lengths[sequence]); p++) {
    drop_page(c, table[p]);
  }
}

/* ---- append ---- */

static size_t appended_sequence(const CacheAppend *append, size_t i) {
  return append->sequences ? append->sequences[i] : i;
}

static size_t appended_tokens(const CacheAppend *append, size_t i) {
  return append->offsets ? append->offsets[i + 1] - append->offsets[i] : append->tokens;
}

static AttendStatus check_sequences(const AttendCache *c, const CacheAppend *append, Fault *fault) {
  for (size_t i = 0; i < append->count; i++) {
    const size_t sequence = appended_sequence(append, i);
    if (sequence >= c->sequences) {
      return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                       "sequence %zu of the batch is number %zu of the cache, which has %zu "
                       "sequences, counted from 0",
                       i, sequence, c->sequences);
    }
    for (size_t k = 0; append->sequences && k < i; k++) {
      if (append->sequences[k] == sequence) {
        return fault_set(
            fault, ATTEND_STATUS_BAD_OPTION,
            "sequences %zu and %zu of the batch are both number %zu of the cache; each "
            "must be another",
            k, i, sequence);
      }
    }
  }
  return ATTEND_OK;
}

static AttendStatus check_room(const AttendCache *c, size_t sequence, size_t tokens, Fault *fault) {
  const size_t length = c->lengths[sequence];
  if (length <= c->capacity && tokens <= c->capacity - length) return ATTEND_OK;
  if (!c->window) {
    return fault_set(fault, ATTEND_STATUS_CACHE_FULL,
                     "sequence %zu of the cache holds %zu of %zu tokens; %zu more do not fit",
                     sequence, length, c->capacity, tokens);
  }
  if (tokens <= c->capacity - c->window) return ATTEND_OK;
  return fault_set(
      fault, ATTEND_STATUS_CACHE_FULL,
      "the cache keeps %zu tokens of a sequence, of which %zu are its window; %zu more "
      "at a time do not fit beside it",
      c->capacity, c->window, tokens);
}

/* The page in which a sequence ends with room for more, or none. */
static bool find_open_page(const AttendCache *c, size_t sequence, size_t *page) {
  const size_t length = c->lengths[sequence];
  if (length % c->page_tokens == 0) return false;
  *page = table_of(c, sequence)[length / c->page_tokens];
  return true;
}

/* Whether append i, after those before it, writes a page that other tables still name. If all
 * sequences of a page write it, the last of them keeps it. */
static bool needs_copy(const AttendCache *c, const CacheAppend *append, size_t i) {
  size_t page = 0, other = 0;
  if (!find_open_page(c, appended_sequence(append, i), &page)) return false;
  size_t names = c->references[page];
  for (size_t k = 0; k < i && names > 1; k++) {
    const bool writes =
        appended_tokens(append, k) > 0 && find_open_page(c, appended_sequence(append, k), &other);
    if (writes && other == page) names--;
  }
  return names > 1;
}

/* Pages that append i takes out of the pool. */
static size_t count_pages(const AttendCache *c, const CacheAppend *append, size_t i) {
  const size_t length = c->lengths[appended_sequence(append, i)];
  const size_t tokens = appended_tokens(append, i);
  if (tokens == 0) return 0;
  return pages_of(c, length + tokens) - pages_of(c, length) + needs_copy(c, append, i);
}

AttendStatus kvcache_check_append(const AttendCache *c, const CacheAppend *append, Fault *fault) {
  if (check_sequences(c, append, fault)) return fault->status;
  for (size_t i = 0; i < append->count; i++) {
    if (check_room(c, appended_sequence(append, i), appended_tokens(append, i), fault)) {
      return fault->status;
    }
  }
  if (!c->shared_pool) return ATTEND_OK;
  size_t pages = 0;
  for (size_t i = 0; i < append->count; i++) pages += count_pages(c, append, i);
  if (pages <= c->free_pages) return ATTEND_OK;
  return fault_set(
      fault, ATTEND_STATUS_CACHE_FULL,
      "the new tokens need %zu more blocks of %zu tokens; the pool has %zu free of %zu", pages,
      c->page_tokens, c->free_pages, c->pages);
}

/* Gives the sequence pages of its own for `tokens` new tokens. */
static void take_pages(AttendCache *c, size_t sequence, size_t tokens) {
  const size_t length = c->lengths[sequence];
  size_t *const table = table_of(c, sequence);
  size_t shared = 0;
  if (find_open_page(c, sequence, &shared) && c->references[shared] > 1) {
    const size_t copy = take_page(c);
    memcpy(words_of(c, copy), words_of(c, shared), c->page_words * sizeof *c->pool);
    drop_page(c, shared);
    table[length / c->page_tokens] = copy;
  }
  for (size_t p = pages_of(c, length); p < pages_of(c, length + tokens); p++) {
    table[p] = take_page(c);
  }
}

void kvcache_grow(AttendCache *c, const CacheAppend *append) {
  for (size_t i = 0; i < append->count; i++) {
    const size_t sequence = appended_sequence(append, i), tokens = appended_tokens(append, i);
    if (tokens == 0) continue;
    if (c->shared_pool) take_pages(c, sequence, tokens);
    c->lengths[sequence] += tokens;
    if (c->lengths[sequence] > c->capacity) {
      c->firsts[sequence] = size_max(c->firsts[sequence], c->lengths[sequence] - c->capacity);
    }
  }
}

/* ---- rollback and fork ---- */

AttendStatus attend_truncate_cache(AttendCache *cache, size_t sequence, size_t length) {
  if (!cache) return ATTEND_STATUS_NULL_POINTER;
  if (sequence >= cache->sequences || length > cache->lengths[sequence]) {
    return ATTEND_STATUS_BAD_SIZE;
  }
  const size_t first = length == 0 ? 0 : cache->firsts[sequence];
  if (first > 0 && (length < first || length - first < cache->window)) {
    return ATTEND_STATUS_BAD_SIZE;
  }
  drop_pages(cache, sequence, length);
  cache->lengths[sequence] = length;
  cache->firsts[sequence] = first;
  return ATTEND_OK;
}

static AttendStatus check_fork(const AttendCache *c, size_t from, size_t to, size_t length,
                               Fault *fault) {
  if (from >= c->sequences || to >= c->sequences || from == to) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "from is %zu and to is %zu; they must be two of the cache's %zu sequences",
                     from, to, c->sequences);
  }
  const size_t held = c->lengths[from];
  if (length > held) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "length is %zu; sequence %zu of the cache has %zu tokens", length, from, held);
  }
  if (c->window && length != held) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "length is %zu; a ring cannot be forked in its past, so it must be %zu, all "
                     "tokens of sequence %zu",
                     length, held, from);
  }
  return ATTEND_OK;
}

/* A fork in a pool takes one page, for the tokens behind the last full one. */
static AttendStatus check_fork_page(const AttendCache *c, size_t to, size_t length, Fault *fault) {
  if (!c->shared_pool || length % c->page_tokens == 0 || c->free_pages > 0) return ATTEND_OK;
  const size_t *const table = table_of(c, to);
  for (size_t p = 0; p < pages_of(c, c->lengths[to]); p++) {
    if (c->references[table[p]] == 1) return ATTEND_OK; /* this page becomes free */
  }
  return fault_set(
      fault, ATTEND_STATUS_CACHE_FULL,
      "the last %zu of %zu tokens need a block of their own; the pool has none free of "
      "%zu",
      length % c->page_tokens, length, c->pages);
}

AttendStatus attend_fork_cache(AttendContext *context, AttendCache *cache, size_t from, size_t to,
                               size_t length) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!cache) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "cache is null");
  if (check_fork(cache, from, to, length, fault) || check_fork_page(cache, to, length, fault)) {
    return fault->status;
  }
  const size_t *const source = table_of(cache, from);
  size_t *const table = table_of(cache, to);
  const size_t shared = cache->shared_pool ? length / cache->page_tokens : 0;
  const size_t pages = size_min(pages_of(cache, length), cache->sequence_pages);
  drop_pages(cache, to, 0);
  for (size_t p = 0; p < shared; p++) {
    table[p] = source[p];
    cache->references[table[p]]++;
  }
  for (size_t p = shared; p < pages; p++) {
    if (cache->shared_pool) table[p] = take_page(cache);
    memcpy(words_of(cache, table[p]), words_of(cache, source[p]),
           cache->page_words * sizeof(float));
  }
  cache->lengths[to] = length;
  cache->firsts[to] = cache->firsts[from];
  return ATTEND_OK;
}
