/* problem.c - checks a core problem once, and says what its sequences are.
 *
 * What passes here is known to be countable in bytes: the paths use plain arithmetic afterwards.
 * Nothing here computes attention, allocates or remembers.
 */
#include "problem/problem.h"

#include <math.h>
#include <string.h>

#include "cache/kvcache.h"
#include "problem/options.h"
#include "problem/shape.h"
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

static AttendStatus check_countable(const AttendShape *s, Fault *fault) {
  bool overflow = false;
  const size_t rows =
      size_multiply(size_multiply(s->batch, s->query_heads, &overflow), s->query_tokens, &overflow);
  const size_t dims = size_add(s->head_dim, s->value_dim, &overflow);
  size_multiply(size_multiply(rows, dims, &overflow), sizeof(float), &overflow);
  const size_t pairs =
      size_multiply(size_multiply(s->batch, s->kv_heads, &overflow), s->key_tokens, &overflow);
  size_multiply(size_multiply(pairs, dims, &overflow), sizeof(float), &overflow);
  if (!overflow) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                   "B = %zu, Nq = %zu, Nk = %zu, Hq = %zu, Hk = %zu, D = %zu, Dv = %zu cannot be "
                   "counted in bytes",
                   s->batch, s->query_tokens, s->key_tokens, s->query_heads, s->kv_heads,
                   s->head_dim, s->value_dim);
}

static AttendStatus check_cache_shape(const AttendShape *s, const AttendCache *cache,
                                      Fault *fault) {
  if (!cache || (cache->kv_heads == s->kv_heads && cache->head_dim == s->head_dim &&
                 cache->value_dim == s->value_dim)) {
    return ATTEND_OK;
  }
  return fault_set(fault, ATTEND_STATUS_SHAPE_MISMATCH,
                   "the cache is for %zu kv heads, D = %zu, Dv = %zu; this call has %zu, %zu, %zu",
                   cache->kv_heads, cache->head_dim, cache->value_dim, s->kv_heads, s->head_dim,
                   s->value_dim);
}

AttendStatus problem_set_sizes(Problem *problem, const ProblemSizes *sizes,
                               const AttendOptions *options, Fault *fault) {
  AttendShape shape = sizes->shape;
  AttendOptions own;
  attend_default_options(&own);
  if (options_check(options, fault)) return fault->status;
  if (options) own = *options;
  const NamedSize named[] = {{"shape.batch", shape.batch},
                             {"shape.query_heads", shape.query_heads},
                             {"shape.kv_heads", shape.kv_heads},
                             {"shape.head_dim", shape.head_dim},
                             {"shape.value_dim", shape.value_dim}};
  if (shape_check_positive(named, sizeof named / sizeof *named, fault)) return fault->status;
  if (shape_check_heads(shape.query_heads, shape.kv_heads, fault)) return fault->status;
  if (sizes->has_cache) {
    bool overflow = false;
    if (check_cache_shape(&shape, sizes->cache, fault)) return fault->status;
    shape.key_tokens = size_add(sizes->past, shape.query_tokens, &overflow);
    if (overflow) {
      return fault_set(fault, ATTEND_STATUS_OVERFLOW, "%zu past and %zu new tokens are too many",
                       sizes->past, shape.query_tokens);
    }
  }
  if (check_countable(&shape, fault)) return fault->status;
  *problem = (Problem){
      .shape = shape,
      .group = shape.query_heads / shape.kv_heads,
      .scale = own.scale != 0.0f ? own.scale : 1.0f / sqrtf((float)shape.head_dim),
      .options = own,
      .has_cache = sizes->has_cache,
      .cache = sizes->cache,
      .appended = sizes->appended,
      .past = sizes->past,
  };
  return options_check_sequences(problem, fault);
}

/* Spans of the operands, and that the rows of out lie apart. */
static AttendStatus check_operands(const Problem *p, AttendView query, AttendView key,
                                   AttendView value, AttendOutputView out, Span spans[4],
                                   Fault *fault) {
  const AttendShape *const s = &p->shape;
  const size_t sequences = problem_is_ragged(p) ? 1 : s->batch;
  const size_t query_counts[3] = {sequences, s->query_tokens, s->query_heads};
  const size_t key_counts[3] = {sequences, p->has_cache ? 0 : s->key_tokens, s->kv_heads};
  const AttendView written = {out.data, out.batch_stride, out.token_stride, out.head_stride};
  if (shape_span_of_view("query", query, query_counts, s->head_dim, &spans[0], fault) ||
      shape_span_of_view("key", key, key_counts, s->head_dim, &spans[1], fault) ||
      shape_span_of_view("value", value, key_counts, s->value_dim, &spans[2], fault) ||
      shape_span_of_view("out", written, query_counts, s->value_dim, &spans[3], fault)) {
    return fault->status;
  }
  if (!spans[3].floats) return ATTEND_OK;
  return shape_check_rows_apart("out", out, query_counts, s->value_dim, fault);
}

AttendStatus problem_set_views(Problem *problem, AttendView query, AttendView key, AttendView value,
                               AttendOutputView out, float *lse, Fault *fault) {
  const AttendShape *const s = &problem->shape;
  Span spans[4];
  if (check_operands(problem, query, key, value, out, spans, fault)) return fault->status;
  if (lse && problem->options.normalization == ATTEND_NORMALIZE_SUM) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "lse is asked for together with ATTEND_NORMALIZE_SUM, which has none");
  }
  const size_t sequences = problem_is_ragged(problem) ? 1 : s->batch;
  const Span lse_span = {"lse", lse, lse ? sequences * s->query_heads * s->query_tokens : 0};
  if (shape_check_pointer(lse_span, fault)) return fault->status;
  for (size_t i = 0; i < 3; i++) {
    if (shape_check_apart(spans[3], spans[i], fault)) return fault->status;
    if (shape_check_apart(lse_span, spans[i], fault)) return fault->status;
  }
  if (shape_check_apart(lse_span, spans[3], fault)) return fault->status;
  if (options_check_arrays(problem, spans[3], lse_span, fault)) return fault->status;

  /* Where there is one token its stride is never stepped; give it the value of a dense row, which
   * is what the BLAS asks of a matrix with one row. */
  if (s->query_tokens <= 1) query.token_stride = s->head_dim;
  if (s->key_tokens <= 1) key.token_stride = s->head_dim;
  if (s->key_tokens <= 1) value.token_stride = s->value_dim;
  problem->query = query;
  problem->key = problem->has_cache ? (AttendView){0} : key;
  problem->value = problem->has_cache ? (AttendView){0} : value;
  problem->out = out;
  problem->lse = lse;
  return ATTEND_OK;
}
