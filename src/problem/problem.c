/* problem.c - measures the sequences of a checked problem, and copies their keys and values.
 *
 * A sequence is measured in constant time. Nothing here checks anything: problem_check.c did.
 */
#include "problem/problem.h"

#include <string.h>

#include "cache/kvcache.h"
#include "size.h"

/* Tokens from offsets[b] on, or `all` of every sequence. */
static size_t count_of(const size_t *offsets, size_t b, size_t all) {
  return offsets ? offsets[b + 1] - offsets[b] : all;
}

static size_t covered(size_t limit, const void *data, size_t key_tokens) {
  return data && key_tokens ? size_min(limit, key_tokens) : limit;
}

/* Sizes and positions; no pointers. */
static Sequence measure_sequence(const Problem *p, size_t b) {
  const AttendOptions *const o = &p->options;
  Sequence s = {.index = b,
                .slot = o->cache_sequences ? o->cache_sequences[b] : b,
                .query_tokens = count_of(o->query_offsets, b, p->shape.query_tokens),
                .key_tokens = count_of(o->key_offsets, b, p->shape.key_tokens),
                .q_start = o->q_starts ? o->q_starts[b] : o->q_start};
  if (p->has_cache) {
    const size_t held = p->cache ? p->cache->lengths[s.slot] : p->past;
    s.key_tokens = p->appended ? held : held + s.query_tokens;
    s.q_start = (int64_t)s.key_tokens - (int64_t)s.query_tokens;
  }
  s.key_limit = o->key_lengths ? o->key_lengths[b] : s.key_tokens;
  s.key_limit = covered(s.key_limit, o->mask.data, o->mask.key_tokens);
  s.key_limit = covered(s.key_limit, o->bias.data, o->bias.key_tokens);
  return s;
}

Sequence problem_sequence(const Problem *p, size_t b) {
  const AttendOptions *const o = &p->options;
  Sequence s = measure_sequence(p, b);
  const bool ragged = problem_is_ragged(p);
  const size_t query_at = ragged ? o->query_offsets[b] : 0;
  const size_t key_at = o->key_offsets ? o->key_offsets[b] : 0;
  const size_t batch = ragged ? 0 : b;
  if (p->query.data) {
    s.query = p->query.data + batch * p->query.batch_stride + query_at * p->query.token_stride;
  }
  if (p->key.data) {
    s.key = p->key.data + batch * p->key.batch_stride + key_at * p->key.token_stride;
  }
  if (p->value.data) {
    s.value = p->value.data + batch * p->value.batch_stride + key_at * p->value.token_stride;
  }
  if (p->out.data) {
    s.out = p->out.data + batch * p->out.batch_stride + query_at * p->out.token_stride;
  }
  s.lse_stride = p->shape.query_tokens;
  if (p->lse) s.lse = p->lse + batch * p->shape.query_heads * s.lse_stride + query_at;
  return s;
}

void problem_copy_key(const Problem *p, const Sequence *s, size_t j, size_t g, float *to) {
  if (p->cache) {
    kvcache_copy_key(p->cache, s->slot, j, g, to);
  } else {
    memcpy(to, problem_key(p, s, j, g), p->shape.head_dim * sizeof *to);
  }
}

void problem_copy_value(const Problem *p, const Sequence *s, size_t j, size_t g, float *to) {
  if (p->cache) {
    kvcache_copy_value(p->cache, s->slot, j, g, to);
  } else {
    memcpy(to, problem_value(p, s, j, g), p->shape.value_dim * sizeof *to);
  }
}

LongestSequence problem_longest(const Problem *p) {
  LongestSequence longest = {0, 0};
  for (size_t b = 0; b < p->shape.batch; b++) {
    const Sequence s = measure_sequence(p, b);
    longest.query_tokens = size_max(longest.query_tokens, s.query_tokens);
    longest.key_tokens = size_max(longest.key_tokens, s.key_tokens);
    if (!problem_is_ragged(p) && !p->cache) break;
  }
  return longest;
}
