/* kvcache.c - keys and values of past tokens, contiguous per kv head.
 *
 * A head's keys lie one after the other, so that decode reads one stream a head. The cache never
 * grows: its capacity is what it was opened with, and a token that does not fit is refused.
 */
#include "kvcache.h"

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "shape.h"
#include "size.h"

AttendStatus attend_open_cache(AttendContext *context, const AttendLayerShape *shape, size_t batch,
                               size_t capacity, AttendCache **cache) {
  if (cache) *cache = NULL;
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!shape || !cache) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null", shape ? "cache" : "shape");
  }
  if (!batch || !capacity || !shape->kv_heads || !shape->head_dim || !shape->value_dim ||
      !shape->query_heads) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "batch %zu, capacity %zu, query_heads %zu, kv_heads %zu, head_dim %zu and "
                     "value_dim %zu must all be at least 1",
                     batch, capacity, shape->query_heads, shape->kv_heads, shape->head_dim,
                     shape->value_dim);
  }
  if (shape_check_heads(shape->query_heads, shape->kv_heads, fault)) return fault->status;

  Layout layout = {0};
  const size_t heads = size_multiply(batch, shape->kv_heads, &layout.overflow);
  const size_t tokens = size_multiply(heads, capacity, &layout.overflow);
  layout_floats(&layout, size_ceil_divide(sizeof(AttendCache), sizeof(float)), 1);
  const size_t key_at = layout_floats(&layout, tokens, shape->head_dim);
  const size_t value_at = layout_floats(&layout, tokens, shape->value_dim);
  if (layout.overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "a cache of batch %zu, %zu kv heads and %zu tokens of %zu + %zu floats cannot "
                     "be counted in bytes",
                     batch, shape->kv_heads, capacity, shape->head_dim, shape->value_dim);
  }
  void *const memory = memory_allocate(layout.bytes);
  if (!memory) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes for a cache of %zu tokens could not be allocated", layout.bytes,
                     capacity);
  }
  AttendCache *const opened = memory;
  *opened = (AttendCache){.batch = batch,
                          .kv_heads = shape->kv_heads,
                          .head_dim = shape->head_dim,
                          .value_dim = shape->value_dim,
                          .capacity = capacity,
                          .key = layout_at(memory, key_at),
                          .value = layout_at(memory, value_at)};
  *cache = opened;
  return ATTEND_OK;
}

void attend_close_cache(AttendCache **cache) {
  if (!cache) return;
  free(*cache);
  *cache = NULL;
}

size_t attend_cache_length(const AttendCache *cache) {
  return cache->length;
}

size_t attend_cache_capacity(const AttendCache *cache) {
  return cache->capacity;
}

size_t attend_cache_token_bytes(const AttendCache *cache) {
  return cache->kv_heads * (cache->head_dim + cache->value_dim) * sizeof(float);
}

AttendStatus kvcache_check_room(const AttendCache *cache, size_t tokens, Fault *fault) {
  if (tokens > cache->capacity - cache->length) {
    return fault_set(fault, ATTEND_STATUS_CACHE_FULL,
                     "the cache holds %zu of %zu tokens; %zu more do not fit", cache->length,
                     cache->capacity, tokens);
  }
  return ATTEND_OK;
}

void kvcache_append(AttendCache *cache, size_t tokens, AttendView key, AttendView value) {
  const size_t D = cache->head_dim, Dv = cache->value_dim;
  for (size_t b = 0; b < cache->batch; b++) {
    for (size_t g = 0; g < cache->kv_heads; g++) {
      const size_t first = (b * cache->kv_heads + g) * cache->capacity + cache->length;
      for (size_t j = 0; j < tokens; j++) {
        memcpy(cache->key + (first + j) * D,
               key.data + b * key.batch_stride + j * key.token_stride + g * key.head_stride,
               D * sizeof(float));
        memcpy(cache->value + (first + j) * Dv,
               value.data + b * value.batch_stride + j * value.token_stride + g * value.head_stride,
               Dv * sizeof(float));
      }
    }
  }
  cache->length += tokens;
}

AttendStatus attend_append_cache(AttendContext *context, AttendCache *cache, size_t tokens,
                                 AttendView key, AttendView value) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!cache) return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "cache is null");
  if (kvcache_check_room(cache, tokens, fault)) return fault->status;
  const size_t counts[3] = {cache->batch, tokens, cache->kv_heads};
  Span span;
  if (shape_span_of_view("key", key, counts, cache->head_dim, &span, fault) ||
      shape_span_of_view("value", value, counts, cache->value_dim, &span, fault)) {
    return fault->status;
  }
  kvcache_append(cache, tokens, key, value);
  return ATTEND_OK;
}

AttendStatus attend_truncate_cache(AttendCache *cache, size_t length) {
  if (!cache) return ATTEND_STATUS_NULL_POINTER;
  if (length > cache->length) return ATTEND_STATUS_BAD_SIZE;
  cache->length = length;
  return ATTEND_OK;
}

AttendView attend_cache_keys(const AttendCache *cache) {
  return attend_view_bhnd(cache->key, cache->capacity, cache->kv_heads, cache->head_dim);
}

AttendView attend_cache_values(const AttendCache *cache) {
  return attend_view_bhnd(cache->value, cache->capacity, cache->kv_heads, cache->value_dim);
}
