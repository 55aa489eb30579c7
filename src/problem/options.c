/* options.c - the options of a call: their defaults, their ranges, and the arrays they point to.
 *
 * Everything that can be wrong with an option is found here, before anything is computed. What an
 * option means for a score stands in attend.h, and which keys a row sees in problem.h.
 */
#include "problem/options.h"

#include <math.h>

#include "cache/kvcache.h"
#include "size.h"

void attend_default_options(AttendOptions *options) {
  if (!options) return;
  *options = (AttendOptions){
      .struct_size = sizeof *options, .causal = true, .window_left = -1, .window_right = -1};
}

static AttendStatus check_window(const char *name, int64_t window, Fault *fault) {
  if (window >= -1) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                   "options.%s is %lld; it must be a number of keys, or -1 for no limit", name,
                   (long long)window);
}

AttendStatus options_check(const AttendOptions *options, Fault *fault) {
  if (!options) return ATTEND_OK;
  if (options->struct_size != sizeof *options) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.struct_size is %zu; attend_default_options() sets it to %zu",
                     options->struct_size, sizeof *options);
  }
  /* The paths multiply it by log2(e). */
  if (!isfinite(1.4427f * options->scale)) {
    return fault_set(
        fault, ATTEND_STATUS_BAD_OPTION,
        "options.scale is %g; it must be finite, also times log2(e) (0 means 1/sqrt(D))",
        (double)options->scale);
  }
  if (check_window("window_left", options->window_left, fault) ||
      check_window("window_right", options->window_right, fault)) {
    return fault->status;
  }
  if (!(options->softcap >= 0.0f) || !isfinite(1.4427f * options->softcap)) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.softcap is %g; it must be finite and positive, or 0 for none",
                     (double)options->softcap);
  }
  if (options->normalization != ATTEND_NORMALIZE_SOFTMAX &&
      options->normalization != ATTEND_NORMALIZE_SUM) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "options.normalization is %d; it must be ATTEND_NORMALIZE_SOFTMAX or "
                     "ATTEND_NORMALIZE_SUM",
                     (int)options->normalization);
  }
  if (options->normalization == ATTEND_NORMALIZE_SUM && options->sinks) {
    return fault_set(
        fault, ATTEND_STATUS_BAD_OPTION,
        "options.sinks is set together with ATTEND_NORMALIZE_SUM; a sink is a logit of "
        "a softmax");
  }
  return ATTEND_OK;
}

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

AttendStatus options_check_sequences(const Problem *p, Fault *fault) {
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

/* Elements that a view [B, Hq, Nq, Nk] with these strides spans; 0 if it has none. */
static size_t pairs_extent(const Problem *p, const size_t strides[4], size_t covered,
                           bool *overflow) {
  const LongestSequence longest = problem_longest(p);
  const size_t keys = covered ? size_min(covered, longest.key_tokens) : longest.key_tokens;
  const size_t counts[4] = {p->shape.batch, p->shape.query_heads, longest.query_tokens, keys};
  size_t extent = 1;
  for (size_t a = 0; a < 4; a++) {
    if (counts[a] == 0) return 0;
    extent = size_add(extent, size_multiply(counts[a] - 1, strides[a], overflow), overflow);
  }
  return extent;
}

AttendStatus options_check_arrays(const Problem *p, Span out, Span lse, Fault *fault) {
  const AttendOptions *const o = &p->options;
  const size_t bias_strides[4] = {o->bias.batch_stride, o->bias.head_stride, o->bias.query_stride,
                                  o->bias.key_stride};
  const size_t mask_strides[4] = {o->mask.batch_stride, o->mask.head_stride, o->mask.query_stride,
                                  o->mask.key_stride};
  bool overflow = false;
  const size_t bias =
      o->bias.data ? pairs_extent(p, bias_strides, o->bias.key_tokens, &overflow) : 0;
  const size_t mask =
      o->mask.data ? pairs_extent(p, mask_strides, o->mask.key_tokens, &overflow) : 0;
  size_multiply(bias, sizeof(float), &overflow);
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "options.%s has strides that span more bytes than can be counted",
                     o->bias.data ? "bias" : "mask");
  }
  const size_t heads = p->shape.query_heads;
  const Span spans[] = {{"options.bias", o->bias.data, bias},
                        {"options.alibi_slopes", o->alibi_slopes, o->alibi_slopes ? heads : 0},
                        {"options.sinks", o->sinks, o->sinks ? heads : 0}};
  for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
    if (shape_check_pointer(spans[i], fault) || shape_check_apart(out, spans[i], fault) ||
        shape_check_apart(lse, spans[i], fault)) {
      return fault->status;
    }
  }
  const Span written[] = {out, lse};
  for (size_t i = 0; i < 2 && mask; i++) {
    const uintptr_t from = (uintptr_t)written[i].data, at = (uintptr_t)o->mask.data;
    if (written[i].floats && at < from + written[i].floats * sizeof(float) && from < at + mask) {
      return fault_set(fault, ATTEND_STATUS_OVERLAP, "%s overlaps options.mask (%zu bytes from %p)",
                       written[i].name, mask, (const void *)o->mask.data);
    }
  }
  return ATTEND_OK;
}
