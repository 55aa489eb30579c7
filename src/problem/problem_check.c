/* problem_check.c - makes a core problem out of what a caller asks, or refuses it.
 *
 * Products of sizes that pass here fit in a size_t as bytes, so the paths multiply them without
 * looking.
 * Nothing here computes attention, allocates or remembers.
 */
#include "problem/problem_check.h"

#include <math.h>

#include "cache/kvcache.h"
#include "problem/options.h"
#include "problem/sequence_check.h"
#include "size.h"

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
  return sequence_check(problem, fault);
}

/* Elements from the first to the last of a view [B, Hq, Nq, Nk] with these strides; 0 if it is
 * empty. `covered` is the key at which mask or bias end, 0 for none. */
static size_t pairs_span(const Problem *p, const size_t strides[4], size_t covered,
                         bool *overflow) {
  const LongestSequence longest = problem_longest(p);
  const size_t keys = covered ? size_min(covered, longest.key_tokens) : longest.key_tokens;
  const size_t counts[4] = {p->shape.batch, p->shape.query_heads, longest.query_tokens, keys};
  size_t span = 1;
  for (size_t a = 0; a < 4; a++) {
    if (counts[a] == 0) return 0;
    span = size_add(span, size_multiply(counts[a] - 1, strides[a], overflow), overflow);
  }
  return span;
}

/* A mask is of bytes, so its span is not one of floats. */
static AttendStatus check_mask_apart(const uint8_t *mask, size_t bytes, Span written,
                                     Fault *fault) {
  const uintptr_t from = (uintptr_t)written.data, at = (uintptr_t)mask;
  const uintptr_t end = from + written.floats * sizeof(float);
  if (!bytes || !written.floats || at >= end || from >= at + bytes) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_OVERLAP, "%s overlaps options.mask (%zu bytes from %p)",
                   written.name, bytes, (const void *)mask);
}

AttendStatus problem_check_arrays(const Problem *p, Span out, Span lse, Fault *fault) {
  const AttendOptions *const o = &p->options;
  const size_t bias_strides[4] = {o->bias.batch_stride, o->bias.head_stride, o->bias.query_stride,
                                  o->bias.key_stride};
  const size_t mask_strides[4] = {o->mask.batch_stride, o->mask.head_stride, o->mask.query_stride,
                                  o->mask.key_stride};
  bool overflow = false;
  const size_t bias = o->bias.data ? pairs_span(p, bias_strides, o->bias.key_tokens, &overflow) : 0;
  const size_t mask = o->mask.data ? pairs_span(p, mask_strides, o->mask.key_tokens, &overflow) : 0;
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
  if (check_mask_apart(o->mask.data, mask, out, fault) ||
      check_mask_apart(o->mask.data, mask, lse, fault)) {
    return fault->status;
  }
  return ATTEND_OK;
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
  const size_t sequences = problem_is_ragged(problem) ? 1 : s->batch;
  const Span lse_span = {"lse", lse, lse ? sequences * s->query_heads * s->query_tokens : 0};
  if (shape_check_pointer(lse_span, fault)) return fault->status;
  for (size_t i = 0; i < 3; i++) {
    if (shape_check_apart(spans[3], spans[i], fault)) return fault->status;
    if (shape_check_apart(lse_span, spans[i], fault)) return fault->status;
  }
  if (shape_check_apart(lse_span, spans[3], fault)) return fault->status;
  if (problem_check_arrays(problem, spans[3], lse_span, fault)) return fault->status;

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
