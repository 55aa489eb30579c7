/* kvcache.h - keys and values of past tokens, for the library's own files. */
#ifndef ATTEND_SRC_KVCACHE_H
#define ATTEND_SRC_KVCACHE_H

#include "attend/attend.h"
#include "fault.h"

struct AttendCache {
  size_t batch, kv_heads, head_dim, value_dim;
  size_t capacity, length; /* tokens */
  float *key;              /* [B, Hk, capacity, D] */
  float *value;            /* [B, Hk, capacity, Dv] */
};

/* OK if `tokens` more fit, else CACHE_FULL. */
AttendStatus kvcache_check_room(const AttendCache *cache, size_t tokens, Fault *fault);

/* Copies tokens behind the last one. The caller has checked that they fit. */
void kvcache_append(AttendCache *cache, size_t tokens, AttendView key, AttendView value);

#endif
