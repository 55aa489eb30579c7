/* kvcache_rows.c - writes tokens into pages and reads them, in any storage.
 *
 * A token writes its own column of keys and its own row of values, and nothing else: in a ring the
 * places next to it may hold tokens that are still kept. Whole panels of keys and whole steps of
 * values go through the kernels. In 16 bits the first token of a step clears the rest of the step's
 * values if that holds no kept token. So a step with a kept token never holds uninitialised numbers.
 */
#include "cache/kvcache.h"

#include "context.h"
#include "problem/shape.h"
#include "size.h"

void kvcache_copy_key(const AttendCache *c, size_t sequence, size_t token, size_t kv_head,
                      float *to) {
  const size_t page = token / c->page_tokens, at = token % c->page_tokens;
  const StoredMatrix keys = kvcache_keys(c, sequence, page, kv_head);
  stored_get_column(&keys, at, c->head_dim, to);
}

void kvcache_copy_value(const AttendCache *c, size_t sequence, size_t token, size_t kv_head,
                        float *to) {
  const size_t page = token / c->page_tokens, at = token % c->page_tokens;
  const StoredMatrix values = kvcache_values(c, sequence, page, kv_head);
  stored_get_row(&values, at, c->value_dim, to);
}

/* Stores `tokens` keys of one page from its token `at` on. */
static void store_keys(const AttendCache *c, const Kernels *kernels, const StoredMatrix *keys,
                       size_t at, size_t tokens, const float *key, size_t stride) {
  for (size_t j = 0; j < tokens;) {
    const bool whole = (at + j) % KERNEL_PANEL == 0 && tokens - j >= KERNEL_PANEL;
    if (whole) {
      stored_put_columns(keys, kernels, at + j, c->head_dim, key + j * stride, stride);
    } else {
      stored_put_column(keys, kernels, at + j, c->head_dim, key + j * stride);
    }
    j += whole ? KERNEL_PANEL : 1;
  }
}

/* Stores `tokens` values of one page from its token `at` on. `unused` says that the places behind
 * them in the page hold no kept token. */
static void store_values(const AttendCache *c, const Kernels *kernels, const StoredMatrix *values,
                         size_t at, size_t tokens, bool unused, const float *value, size_t stride) {
  if (values->number == KERNEL_FP32) {
    stored_put_rows(values, kernels, at, tokens, c->value_dim, value, stride);
    return;
  }
  for (size_t j = 0; j < tokens;) {
    const bool first = (at + j) % KERNEL_PANEL == 0, whole = first && tokens - j >= KERNEL_PANEL;
    if (whole) {
      stored_put_rows(values, kernels, at + j, KERNEL_PANEL, c->value_dim, value + j * stride,
                      stride);
    } else {
      if (unused && first) stored_clear_rows(values, at + j, c->value_columns);
      stored_put_row(values, kernels, at + j, c->value_dim, value + j * stride);
    }
    j += whole ? KERNEL_PANEL : 1;
  }
}

void kvcache_store(AttendCache *c, const Kernels *kernels, size_t sequence, size_t kv_head,
                   size_t first, size_t tokens, CacheRows rows) {
  for (size_t stored = 0; stored < tokens;) {
    const size_t page = (first + stored) / c->page_tokens, at = (first + stored) % c->page_tokens;
    const size_t here = size_min(tokens - stored, c->page_tokens - at);
    const StoredMatrix keys = kvcache_keys(c, sequence, page, kv_head);
    const StoredMatrix values = kvcache_values(c, sequence, page, kv_head);
    store_keys(c, kernels, &keys, at, here, rows.key + stored * rows.key_stride, rows.key_stride);
    store_values(c, kernels, &values, at, here, first + stored < c->capacity,
                 rows.value + stored * rows.value_stride, rows.value_stride);
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
