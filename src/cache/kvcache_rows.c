/* kvcache_rows.c - tokens into pages and out of them: between the caller's rows and packed panels.
 *
 * A token that is stored writes its own places and those of no other token: in a ring the places
 * next to it may hold tokens that are still kept. A whole panel of keys is turned by the kernel,
 * any other key goes in element by element. Values stay rows, cut into panels. Pages in pairs are
 * kvcache_pairs.c's.
 */
#include "cache/kvcache.h"

#include <string.h>

#include "context.h"
#include "problem/shape.h"
#include "size.h"

/* Where a key begins; its elements are KERNEL_PANEL apart. */
static float *key_at(const AttendCache *c, CachePlace place) {
  const size_t panel = place.at / KERNEL_PANEL;
  return place.keys + panel * c->head_dim * KERNEL_PANEL + place.at % KERNEL_PANEL;
}

/* Where columns from `column` on, a multiple of KERNEL_PANEL, of a value begin. */
static float *value_at(const AttendCache *c, CachePlace place, size_t column) {
  return place.values + column * c->page_tokens + place.at * KERNEL_PANEL;
}

void kvcache_copy_key(const AttendCache *c, size_t sequence, size_t token, size_t kv_head,
                      float *to) {
  const CachePlace place = kvcache_place(c, sequence, token, kv_head);
  if (c->terms) {
    kvcache_widen_key(c, place, to);
    return;
  }
  const float *const from = key_at(c, place);
  for (size_t d = 0; d < c->head_dim; d++) to[d] = from[d * KERNEL_PANEL];
}

void kvcache_copy_value(const AttendCache *c, size_t sequence, size_t token, size_t kv_head,
                        float *to) {
  const CachePlace place = kvcache_place(c, sequence, token, kv_head);
  if (c->terms) {
    kvcache_widen_value(c, place, to);
    return;
  }
  for (size_t column = 0; column < c->value_dim; column += KERNEL_PANEL) {
    const size_t columns = size_min(c->value_dim - column, KERNEL_PANEL);
    memcpy(to + column, value_at(c, place, column), columns * sizeof *to);
  }
}

/* Stores keys that lie in one page. */
static void store_keys(const AttendCache *c, const Kernels *kernels, CachePlace place,
                       size_t tokens, const float *key, size_t stride) {
  for (size_t stored = 0; stored < tokens;) {
    const size_t room = KERNEL_PANEL - place.at % KERNEL_PANEL;
    const size_t here = size_min(tokens - stored, room);
    const float *const rows = key + stored * stride;
    float *const to = key_at(c, place);
    if (here == KERNEL_PANEL) {
      kernels->pack_keys(here, c->head_dim, rows, stride, to);
    } else {
      for (size_t d = 0; d < c->head_dim; d++) {
        for (size_t j = 0; j < here; j++) to[d * KERNEL_PANEL + j] = rows[j * stride + d];
      }
    }
    stored += here;
    place.at += here;
  }
}

/* Stores values that lie in one page, with zeros where their last panel has no columns. */
static void store_values(const AttendCache *c, const Kernels *kernels, CachePlace place,
                         size_t tokens, const float *value, size_t stride) {
  for (size_t column = 0; column < c->value_dim; column += KERNEL_PANEL) {
    const size_t columns = size_min(c->value_dim - column, KERNEL_PANEL);
    kernels->pack_values(tokens, columns, value + column, stride, value_at(c, place, column));
  }
}

void kvcache_store(AttendCache *c, const Kernels *kernels, size_t sequence, size_t kv_head,
                   size_t first, size_t tokens, CacheRows rows) {
  for (size_t stored = 0; stored < tokens;) {
    const CachePlace place = kvcache_place(c, sequence, first + stored, kv_head);
    const size_t here = size_min(tokens - stored, c->page_tokens - place.at);
    const CacheRows from = {rows.key + stored * rows.key_stride,
                            rows.value + stored * rows.value_stride, rows.key_stride,
                            rows.value_stride};
    if (c->terms) {
      kvcache_store_pairs(c, kernels, place, here, first + stored < c->capacity, from);
    } else {
      store_keys(c, kernels, place, here, from.key, from.key_stride);
      store_values(c, kernels, place, here, from.value, from.value_stride);
    }
    stored += here;
  }
}

static AttendStatus check_sequence(const AttendCache *c, size_t sequence, Fault *fault) {
  if (sequence < c->sequences) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                   "sequence is %zu; the cache has %zu, counted from 0", sequence, c->sequences);
}

AttendStatus attend_append_cache(AttendContext *context, AttendCache *cache, size_t sequence,
                                 size_t tokens, AttendView key, AttendView value) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!cache) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "cache is null");
  const CacheAppend append = {.sequences = &sequence, .count = 1, .tokens = tokens};
  const size_t counts[3] = {1, tokens, cache->kv_heads};
  Span span;
  if (check_sequence(cache, sequence, fault) || kvcache_check_append(cache, &append, fault) ||
      shape_span_of_view("key", key, counts, cache->head_dim, &span, fault) ||
      shape_span_of_view("value", value, counts, cache->value_dim, &span, fault)) {
    return fault->status;
  }
  if (tokens == 0) return ATTEND_OK;
  const size_t first = cache->lengths[sequence];
  kvcache_grow(cache, &append);
  for (size_t g = 0; g < cache->kv_heads; g++) {
    const CacheRows rows = {key.data + g * key.head_stride, value.data + g * value.head_stride,
                            key.token_stride, value.token_stride};
    kvcache_store(cache, context->kernels, sequence, g, first, tokens, rows);
  }
  return ATTEND_OK;
}

static AttendStatus check_kept(const AttendCache *c, size_t sequence, size_t first, size_t tokens,
                               Fault *fault) {
  const size_t kept = c->firsts[sequence], length = c->lengths[sequence];
  if (first >= kept && first <= length && tokens <= length - first) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                   "first is %zu and tokens is %zu; sequence %zu of the cache keeps tokens %zu up "
                   "to, but not including, %zu",
                   first, tokens, sequence, kept, length);
}

/* Checks that an output can take `tokens` rows of each kv head. */
static AttendStatus check_output(const char *name, AttendOutputView out, const AttendCache *c,
                                 size_t tokens, size_t dim, Fault *fault) {
  const size_t counts[3] = {1, tokens, c->kv_heads};
  const AttendView view = {out.data, out.batch_stride, out.token_stride, out.head_stride};
  Span span;
  if (shape_span_of_view(name, view, counts, dim, &span, fault)) return fault->status;
  if (!span.floats) return ATTEND_OK;
  return shape_check_rows_apart(name, out, counts, dim, fault);
}

AttendStatus attend_read_cache(AttendContext *context, const AttendCache *cache, size_t sequence,
                               size_t first, size_t tokens, AttendOutputView key,
                               AttendOutputView value) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!cache) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "cache is null");
  if (check_sequence(cache, sequence, fault) || check_kept(cache, sequence, first, tokens, fault) ||
      check_output("key", key, cache, tokens, cache->head_dim, fault) ||
      check_output("value", value, cache, tokens, cache->value_dim, fault)) {
    return fault->status;
  }
  for (size_t g = 0; g < cache->kv_heads; g++) {
    for (size_t j = 0; j < tokens; j++) {
      kvcache_copy_key(cache, sequence, first + j, g,
                       key.data + j * key.token_stride + g * key.head_stride);
      kvcache_copy_value(cache, sequence, first + j, g,
                         value.data + j * value.token_stride + g * value.head_stride);
    }
  }
  return ATTEND_OK;
}
