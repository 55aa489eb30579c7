/* sequence_check.c - checks offsets, lengths and starts of sequences against the sizes of a problem.
 *
 * They come from the options or, in a call with a cache, from the cache; options that contradict the
 * cache are refused.
 */
#include "problem/sequence_check.h"

#include "cache/kvcache.h"
#include "size.h"

static AttendStatus check_offsets(const char *name, const size_t *offsets, size_t count,
                                  size_t total, Fault *fault) {
  if (offsets[0] != 0) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE, "options.%s[0] is %zu; it must be 0", name,
                     offsets[0]);
  }
  for (size_t b = 0; b < count; b++) {
    if (offsets[b + 1] < offsets[b]) {
      return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                       "options.%s falls from %zu to %zu at sequence %zu; offsets must not fall",
                       name, offsets[b], offsets[b + 1], b);
    }
  }
  if (offsets[count] == total) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                   "options.%s ends with %zu; the shape has %zu tokens in all", name,
                   offsets[count], total);
}

static AttendStatus check_ragged(const Problem *p, Fault *fault) {
  const AttendOptions *const o = &p->options;
  if (!o->query_offsets) {
    if (!o->key_offsets) return ATTEND_OK;
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.key_offsets is set without query_offsets; a ragged batch wants both");
  }
  if (check_offsets("query_offsets", o->query_offsets, p->shape.batch, p->shape.query_tokens,
                    fault)) {
    return fault->status;
  }
  if (p->has_cache) return ATTEND_OK;
  if (!o->key_offsets) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.query_offsets is set without key_offsets; a ragged batch wants both");
  }
  return check_offsets("key_offsets", o->key_offsets, p->shape.batch, p->shape.key_tokens, fault);
}

/* A ring keeps what the tokens of its last append need. Queries that begin earlier may have a
 * window that reaches behind what it still holds. Where mask or bias end before the window begins,
 * no query sees a key. */
static AttendStatus check_kept(const Problem *p, Fault *fault) {
  for (size_t b = 0; p->appended && b < p->shape.batch; b++) {
    const Sequence s = problem_sequence(p, b);
    const size_t kept = attend_cache_first(p->cache, s.slot);
    const size_t begin = s.query_tokens ? problem_range(p, &s, 0).begin : kept;
    if (begin < size_min(kept, s.key_limit)) {
      return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                       "the first of the %zu queries of sequence %zu sees keys from %zu on; the "
                       "cache keeps those from %zu on",
                       s.query_tokens, b, begin, kept);
    }
  }
  return ATTEND_OK;
}

/* A cache says itself how long its sequences are and where the queries stand. */
static AttendStatus check_cached(const Problem *p, Fault *fault) {
  const AttendOptions *const o = &p->options;
  const char *const taken = o->q_starts      ? "q_starts"
                            : o->key_lengths ? "key_lengths"
                            : o->key_offsets ? "key_offsets"
                                             : NULL;
  if (o->q_start != 0) {
    return fault_set(
        fault, ATTEND_STATUS_BAD_OPTION,
        "options.q_start is %lld together with a cache, which sets it itself; leave it "
        "0",
        (long long)o->q_start);
  }
  if (taken) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.%s is set together with a cache, which sets it itself; leave it null",
                     taken);
  }
  const size_t window = p->cache ? p->cache->window : 0;
  if (window && (o->window_left < 0 || (uint64_t)o->window_left >= window)) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.window_left is %lld; the cache keeps the last %zu tokens, so it must "
                     "be 0 to %zu",
                     (long long)o->window_left, window, window - 1);
  }
  for (size_t b = 0; p->cache && b < p->shape.batch; b++) {
    const size_t slot = o->cache_sequences ? o->cache_sequences[b] : b;
    if (slot >= p->cache->sequences) {
      return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                       "sequence %zu of the batch is number %zu of the cache, which has %zu "
                       "sequences, counted from 0",
                       b, slot, p->cache->sequences);
    }
  }
  return window ? check_kept(p, fault) : ATTEND_OK;
}

AttendStatus sequence_check(const Problem *p, Fault *fault) {
  const AttendOptions *const o = &p->options;
  if (check_ragged(p, fault)) return fault->status;
  if (p->has_cache) return check_cached(p, fault);
  if (o->cache_sequences) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.cache_sequences is set, but the call has no cache");
  }
  for (size_t b = 0; o->key_lengths && b < p->shape.batch; b++) {
    const size_t keys =
        o->key_offsets ? o->key_offsets[b + 1] - o->key_offsets[b] : p->shape.key_tokens;
    if (o->key_lengths[b] > keys) {
      return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                       "options.key_lengths[%zu] is %zu; the sequence has %zu keys", b,
                       o->key_lengths[b], keys);
    }
  }
  return ATTEND_OK;
}
