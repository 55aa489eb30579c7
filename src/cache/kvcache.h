/* kvcache.h - keys and values of past tokens, for the library's own files.
 *
 * A cache is a pool of pages of `page_tokens` tokens. A page holds, for every kv head, the keys and
 * values of its tokens as two stored matrices, in the kernels' packed order (P = KERNEL_PANEL):
 *
 *   pool:     [pages][Hk][keys, then values]
 *   fp32:     keys [page_tokens / P][D][P]   values [ceil(Dv / P)][page_tokens][P]
 *   16 bits:  keys [terms][page_tokens / P][pairs of D][P]
 *             values [terms][ceil(Dv / P)][page_tokens / 2][P]
 *
 * So the kernels read a cache as they read any packed tile. Each sequence has a table from its own
 * page numbers to those of the pool. The places behind the last token and before the first token
 * kept hold no data: they may be NaN, also in the other half of a pair.
 *
 * In a ring a token takes the place of the token `capacity` positions before it. The page in which
 * a sequence ends therefore also holds the first tokens that are kept. For every sequence s, with
 * first = firsts[s] and length = lengths[s],
 *
 *   first <= length <= first + capacity   and   first + window <= length unless first is 0.
 */
#ifndef ATTEND_SRC_CACHE_KVCACHE_H
#define ATTEND_SRC_CACHE_KVCACHE_H

#include "attend/attend.h"
#include "fault.h"
#include "kernels/kernels.h"
#include "storage/stored_matrix.h"

struct AttendCache {
  size_t sequences, kv_heads, head_dim, value_dim;
  size_t capacity; /* tokens of a sequence at a time: a multiple of page_tokens */
  size_t page_tokens;
  size_t window;         /* 0: no ring */
  size_t sequence_pages; /* entries of a sequence's table: capacity / page_tokens */
  size_t pages;          /* of the pool */
  bool shared_pool;      /* pages are taken and given back */
  size_t value_columns;  /* Dv, to whole panels */
  StoredMatrix keys;     /* [D, page_tokens] of one kv head and page; its words are null */
  StoredMatrix values;   /* [page_tokens, Dv], likewise */
  size_t page_words;     /* of all kv heads */
  size_t head_words;     /* of one kv head in a page */
  size_t value_at;       /* words from a head's keys to its values */
  size_t bytes;
  size_t free_pages;  /* number of entries of free_list that count */
  size_t *free_list;  /* [pages] */
  size_t *references; /* [pages] tables that name the page */
  size_t *table;      /* [sequences][sequence_pages]; entry l % sequence_pages is page l */
  size_t *lengths;    /* [sequences] tokens so far */
  size_t *firsts;     /* [sequences] the first token kept; 0 except in a ring */
  uint32_t *pool;     /* words: floats, or pairs of numbers in 16 bits */
};

/* Keys of one kv head in page number `page` of a sequence, the page of token page * page_tokens: D
 * rows, and a column for each token. */
static inline StoredMatrix kvcache_keys(const AttendCache *cache, size_t sequence, size_t page,
                                        size_t kv_head) {
  const size_t entry = sequence * cache->sequence_pages + page % cache->sequence_pages;
  StoredMatrix keys = cache->keys;
  keys.words = cache->pool + cache->table[entry] * cache->page_words + kv_head * cache->head_words;
  return keys;
}

/* Its values: a row for each token, and Dv columns. */
static inline StoredMatrix kvcache_values(const AttendCache *cache, size_t sequence, size_t page,
                                          size_t kv_head) {
  StoredMatrix values = cache->values;
  values.words = kvcache_keys(cache, sequence, page, kv_head).words + cache->value_at;
  return values;
}

/* Copies one token's key (value) of one kv head to a dense row. The token must be kept. */
void kvcache_copy_key(const AttendCache *cache, size_t sequence, size_t token, size_t kv_head,
                      float *to);
void kvcache_copy_value(const AttendCache *cache, size_t sequence, size_t token, size_t kv_head,
                        float *to);

/* New tokens for some of a cache's sequences. */
typedef struct CacheAppend {
  const size_t *sequences; /* [count], or null: 0, 1, 2, ... */
  size_t count;
  const size_t *offsets; /* [count + 1], or null: `tokens` for each */
  size_t tokens;
} CacheAppend;

/* Checks that the sequences exist, that none is named twice, and that all the new tokens fit
 * together: BAD_OPTION, CACHE_FULL. Changes nothing. */
AttendStatus kvcache_check_append(const AttendCache *cache, const CacheAppend *append,
                                  Fault *fault);

/* Takes the pages for an append that was checked, copies shared pages that will be written, and
 * raises the lengths. Cannot fail. The caller then stores the new keys and values. */
void kvcache_grow(AttendCache *cache, const CacheAppend *append);

/* Stores `tokens` tokens of one kv head from position `first` on: key points to the first one's
 * row, and rows are key_stride apart. Different heads and sequences may be stored by different
 * threads at the same time. */
typedef struct CacheRows {
  const float *key, *value;
  size_t key_stride, value_stride;
} CacheRows;

void kvcache_store(AttendCache *cache, const Kernels *kernels, size_t sequence, size_t kv_head,
                   size_t first, size_t tokens, CacheRows rows);

#endif
