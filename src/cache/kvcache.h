/* kvcache.h - keys and values of past tokens, for the library's own files.
 *
 * A cache is a pool of pages of `page_tokens` tokens. A page holds, for every kv head, its tokens'
 * keys and values in the kernels' packed order (P = KERNEL_PANEL):
 *
 *   page of one kv head:  keys [page_tokens / P][D][P]   values [ceil(Dv / P)][page_tokens][P]
 *   pool:                 [pages][Hk][keys, then values]
 *
 * or in 16 bits, as terms of pairs:
 *
 *   page of one kv head:  keys [terms][page_tokens / P][pairs of D][P]
 *                         values [terms][ceil(Dv / P)][page_tokens / 2][P]
 *
 * so that the kernels read a cache as they read a tile that they packed themselves. Each sequence
 * has a table from its own page numbers to those of the pool. What stands in a page behind the last
 * token, or before the first one kept, means nothing: it may be NaN, also in the other half of a
 * pair.
 *
 * In a ring a token takes the place of the one `capacity` tokens before it and of no other, so that
 * the page in which a sequence ends also holds the tokens with which what is kept begins. With
 * first = firsts[s] and length = lengths[s] of a sequence always
 *
 *   first <= length <= first + capacity   and   first + window <= length unless first is 0.
 */
#ifndef ATTEND_SRC_KVCACHE_H
#define ATTEND_SRC_KVCACHE_H

#include "attend/attend.h"
#include "fault.h"
#include "kernels/kernels.h"
#include "storage/words.h"

struct AttendCache {
  size_t sequences, kv_heads, head_dim, value_dim;
  size_t capacity; /* tokens of a sequence at a time: a multiple of page_tokens */
  size_t page_tokens;
  size_t window;         /* 0: no ring */
  size_t sequence_pages; /* entries of a sequence's table: capacity / page_tokens */
  size_t pages;          /* of the pool */
  bool shared_pool;      /* pages are taken and given back */
  size_t terms;          /* of pairs; 0: floats */
  KernelNumber number;   /* what the pairs are of */
  size_t key_pairs;      /* of a key, to whole steps */
  size_t value_columns;  /* Dv, to whole panels */
  size_t page_words;     /* of all kv heads: floats, or pairs */
  size_t head_words;     /* of one kv head in a page */
  size_t value_at;       /* words from a head's keys to its values */
  size_t bytes;
  size_t free_pages;  /* number of entries of free_list that count */
  size_t *free_list;  /* [pages] */
  size_t *references; /* [pages] tables that name the page */
  size_t *table;      /* [sequences][sequence_pages]; entry l % sequence_pages is page l */
  size_t *lengths;    /* [sequences] tokens so far */
  size_t *firsts;     /* [sequences] the first token kept; 0 except in a ring */
  float *pool;
};

/* Packed keys (values) of page number `page` of a sequence, that of token page * page_tokens. */
static inline float *kvcache_keys(const AttendCache *cache, size_t sequence, size_t page,
                                  size_t kv_head) {
  const size_t entry = sequence * cache->sequence_pages + page % cache->sequence_pages;
  return cache->pool + cache->table[entry] * cache->page_words + kv_head * cache->head_words;
}

static inline float *kvcache_values(const AttendCache *cache, size_t sequence, size_t page,
                                    size_t kv_head) {
  return kvcache_keys(cache, sequence, page, kv_head) + cache->value_at;
}

/* The same of a cache in pairs. */
static inline KernelPairs kvcache_key_pairs(const AttendCache *cache, size_t sequence, size_t page,
                                            size_t kv_head) {
  return (KernelPairs){words_as_pairs(kvcache_keys(cache, sequence, page, kv_head)), cache->terms,
                       cache->page_tokens * cache->key_pairs, cache->key_pairs * KERNEL_PANEL,
                       cache->number};
}

static inline KernelPairs kvcache_value_pairs(const AttendCache *cache, size_t sequence,
                                              size_t page, size_t kv_head) {
  return (KernelPairs){words_as_pairs(kvcache_values(cache, sequence, page, kv_head)), cache->terms,
                       cache->page_tokens / 2 * cache->value_columns,
                       cache->page_tokens / 2 * KERNEL_PANEL, cache->number};
}

/* Where a token of one kv head is kept. */
typedef struct CachePlace {
  float *keys, *values; /* of its page */
  size_t at;            /* 0 .. page_tokens - 1 */
} CachePlace;

static inline CachePlace kvcache_place(const AttendCache *cache, size_t sequence, size_t token,
                                       size_t kv_head) {
  const size_t page = token / cache->page_tokens;
  return (CachePlace){kvcache_keys(cache, sequence, page, kv_head),
                      kvcache_values(cache, sequence, page, kv_head), token % cache->page_tokens};
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

/* Takes the pages for an append that was checked, copies shared ones that will be written, and
 * raises the lengths. Cannot fail. The new tokens' keys and values are then to be stored. */
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

/* The same for tokens of one page, and the copies, in a cache in pairs. unused: what stands behind
 * the tokens in their page is not kept. */
void kvcache_store_pairs(const AttendCache *cache, const Kernels *kernels, CachePlace place,
                         size_t tokens, bool unused, CacheRows rows);
void kvcache_widen_key(const AttendCache *cache, CachePlace place, float *to);
void kvcache_widen_value(const AttendCache *cache, CachePlace place, float *to);

#endif
