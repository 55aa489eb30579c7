/* shape.c - checks sizes, strides and pointers, once, before anything is computed.
 *
 * What passes here is known to be countable in bytes: the paths use plain arithmetic afterwards.
 * Nothing here computes, allocates or remembers.
 */
#include "shape.h"

#include <math.h>

#include "problem.h"
#include "size.h"

AttendStatus shape_check_heads(size_t query_heads, size_t kv_heads, Fault *fault) {
  if (kv_heads == 0 || query_heads % kv_heads != 0) {
    return fault_set(fault, ATTEND_STATUS_BAD_HEADS,
                     "query_heads is %zu and kv_heads is %zu; the first must be a multiple of the "
                     "second",
                     query_heads, kv_heads);
  }
  return ATTEND_OK;
}

typedef struct NamedSize {
  const char *name;
  size_t size;
} NamedSize;

static AttendStatus check_positive(const NamedSize *sizes, size_t count, Fault *fault) {
  for (size_t i = 0; i < count; i++) {
    if (sizes[i].size == 0) {
      return fault_set(fault, ATTEND_STATUS_BAD_SIZE, "%s is 0; it must be at least 1",
                       sizes[i].name);
    }
  }
  return ATTEND_OK;
}

AttendStatus shape_check_layer(const AttendLayerShape *shape, LayerColumns *columns, Fault *fault) {
  const NamedSize sizes[] = {{"width", shape->width},
                             {"query_heads", shape->query_heads},
                             {"kv_heads", shape->kv_heads},
                             {"head_dim", shape->head_dim},
                             {"value_dim", shape->value_dim}};
  if (check_positive(sizes, sizeof sizes / sizeof *sizes, fault)) return fault->status;
  if (shape_check_heads(shape->query_heads, shape->kv_heads, fault)) return fault->status;

  bool overflow = false;
  LayerColumns c;
  c.query = size_multiply(shape->query_heads, shape->head_dim, &overflow);
  c.key = size_multiply(shape->kv_heads, shape->head_dim, &overflow);
  c.value = size_multiply(shape->kv_heads, shape->value_dim, &overflow);
  c.context = size_multiply(shape->query_heads, shape->value_dim, &overflow);
  c.qkv = size_add(size_add(c.query, c.key, &overflow), c.value, &overflow);
  const size_t both = size_add(c.qkv, c.context, &overflow);
  const size_t weights = size_multiply(shape->width, both, &overflow);
  size_multiply(weights, 2 * sizeof(float), &overflow);
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "the weights of width %zu, %zu query heads, %zu kv heads, head_dim %zu and "
                     "value_dim %zu cannot be counted in bytes",
                     shape->width, shape->query_heads, shape->kv_heads, shape->head_dim,
                     shape->value_dim);
  }
  const size_t largest = size_max(size_max(c.qkv, c.context), shape->width);
  if (largest > SHAPE_BLAS_LIMIT) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "a weight matrix has a side of %zu; the BLAS counts up to %zu", largest,
                     SHAPE_BLAS_LIMIT);
  }
  *columns = c;
  return ATTEND_OK;
}

AttendStatus shape_check_pointer(Span span, Fault *fault) {
  if (span.floats == 0) return ATTEND_OK;
  if (!span.data) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; it must hold %zu floats",
                     span.name, span.floats);
  }
  if ((uintptr_t)span.data % sizeof(float) != 0) {
    return fault_set(fault, ATTEND_STATUS_MISALIGNED,
                     "%s is at address %p; it must be a multiple "
                     "of %zu",
                     span.name, (const void *)span.data, sizeof(float));
  }
  return ATTEND_OK;
}

AttendStatus shape_check_apart(Span output, Span other, Fault *fault) {
  if (output.floats == 0 || other.floats == 0) return ATTEND_OK;
  const uintptr_t a = (uintptr_t)output.data, b = (uintptr_t)other.data;
  if (a < b + other.floats * sizeof(float) && b < a + output.floats * sizeof(float)) {
    return fault_set(fault, ATTEND_STATUS_OVERLAP,
                     "%s (%zu floats from %p) overlaps %s (%zu floats from %p)", output.name,
                     output.floats, (const void *)output.data, other.name, other.floats,
                     (const void *)other.data);
  }
  return ATTEND_OK;
}

AttendStatus shape_span_of_view(const char *name, AttendView view, const size_t counts[3],
                                size_t row, Span *span, Fault *fault) {
  const size_t strides[3] = {view.batch_stride, view.token_stride, view.head_stride};
  bool overflow = false;
  size_t floats = row;
  for (size_t a = 0; a < 3; a++) {
    if (counts[a] == 0) {
      *span = (Span){name, view.data, 0};
      return ATTEND_OK;
    }
    const size_t reach = size_multiply(counts[a] - 1, strides[a], &overflow);
    floats = size_add(floats, reach, &overflow);
  }
  size_multiply(floats, sizeof(float), &overflow);
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "%s with strides %zu (batch), %zu (token), %zu (head) spans more bytes than "
                     "can be counted",
                     name, view.batch_stride, view.token_stride, view.head_stride);
  }
  *span = (Span){name, view.data, floats};
  return shape_check_pointer(*span, fault);
}

/* One dimension of an output: how many, how far apart. */
typedef struct Axis {
  size_t count, stride;
} Axis;

/* Sorted by stride, each axis of an output must step over everything inside it. */
static AttendStatus check_rows_apart(AttendOutputView out, const size_t counts[3], size_t row,
                                     Fault *fault) {
  Axis sorted[3] = {
      {counts[0], out.batch_stride}, {counts[1], out.token_stride}, {counts[2], out.head_stride}};
  for (size_t i = 1; i < 3; i++) {
    for (size_t j = i; j > 0 && sorted[j].stride < sorted[j - 1].stride; j--) {
      const Axis swap = sorted[j];
      sorted[j] = sorted[j - 1];
      sorted[j - 1] = swap;
    }
  }
  size_t extent = row;
  for (size_t i = 0; i < 3; i++) {
    if (sorted[i].count <= 1) continue;
    if (sorted[i].stride < extent) {
      return fault_set(fault, ATTEND_STATUS_BAD_STRIDE,
                       "out has a stride of %zu that must be at least %zu, the extent of what it "
                       "steps over",
                       sorted[i].stride, extent);
    }
    extent += (sorted[i].count - 1) * sorted[i].stride;
  }
  return ATTEND_OK;
}

AttendStatus problem_check_options(const AttendOptions *options, Fault *fault) {
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
  return ATTEND_OK;
}

AttendStatus problem_set_sizes(Problem *problem, const AttendShape *shape,
                               const AttendOptions *options, Fault *fault) {
  AttendOptions defaults;
  attend_default_options(&defaults);
  if (problem_check_options(options, fault)) return fault->status;
  if (!options) options = &defaults;
  const NamedSize sizes[] = {{"shape.batch", shape->batch},
                             {"shape.query_heads", shape->query_heads},
                             {"shape.kv_heads", shape->kv_heads},
                             {"shape.head_dim", shape->head_dim},
                             {"shape.value_dim", shape->value_dim}};
  if (check_positive(sizes, sizeof sizes / sizeof *sizes, fault)) return fault->status;
  if (shape_check_heads(shape->query_heads, shape->kv_heads, fault)) return fault->status;

  bool overflow = false;
  const size_t rows = size_multiply(size_multiply(shape->batch, shape->query_heads, &overflow),
                                    shape->query_tokens, &overflow);
  const size_t dims = size_add(shape->head_dim, shape->value_dim, &overflow);
  size_multiply(size_multiply(rows, dims, &overflow), sizeof(float), &overflow);
  const size_t pairs = size_multiply(size_multiply(shape->batch, shape->kv_heads, &overflow),
                                     shape->key_tokens, &overflow);
  size_multiply(size_multiply(pairs, dims, &overflow), sizeof(float), &overflow);
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "B = %zu, Nq = %zu, Nk = %zu, Hq = %zu, Hk = %zu, D = %zu, Dv = %zu cannot be "
                     "counted in bytes",
                     shape->batch, shape->query_tokens, shape->key_tokens, shape->query_heads,
                     shape->kv_heads, shape->head_dim, shape->value_dim);
  }
  *problem = (Problem){
      .shape = *shape,
      .group = shape->query_heads / shape->kv_heads,
      .scale = options->scale != 0.0f ? options->scale : 1.0f / sqrtf((float)shape->head_dim),
      .causal = options->causal,
      .q_start = options->q_start,
  };
  return ATTEND_OK;
}

AttendStatus problem_set_views(Problem *problem, AttendView query, AttendView key, AttendView value,
                               AttendOutputView out, float *lse, Fault *fault) {
  const AttendShape *const s = &problem->shape;
  const size_t query_counts[3] = {s->batch, s->query_tokens, s->query_heads};
  const size_t key_counts[3] = {s->batch, s->key_tokens, s->kv_heads};
  const AttendView written = {out.data, out.batch_stride, out.token_stride, out.head_stride};
  Span spans[3], out_span;
  if (shape_span_of_view("query", query, query_counts, s->head_dim, &spans[0], fault) ||
      shape_span_of_view("key", key, key_counts, s->head_dim, &spans[1], fault) ||
      shape_span_of_view("value", value, key_counts, s->value_dim, &spans[2], fault) ||
      shape_span_of_view("out", written, query_counts, s->value_dim, &out_span, fault)) {
    return fault->status;
  }
  if (out_span.floats && check_rows_apart(out, query_counts, s->value_dim, fault)) {
    return fault->status;
  }

  const Span lse_span = {"lse", lse, lse ? s->batch * s->query_heads * s->query_tokens : 0};
  if (shape_check_pointer(lse_span, fault)) return fault->status;
  for (size_t i = 0; i < 3; i++) {
    if (shape_check_apart(out_span, spans[i], fault)) return fault->status;
    if (shape_check_apart(lse_span, spans[i], fault)) return fault->status;
  }
  if (shape_check_apart(lse_span, out_span, fault)) return fault->status;

  /* Where there is one token its stride is never stepped; give it the value of a dense row, which is
   * what the BLAS asks of a matrix with one row. */
  if (s->query_tokens <= 1) query.token_stride = s->head_dim;
  if (s->key_tokens <= 1) key.token_stride = s->head_dim;
  if (s->key_tokens <= 1) value.token_stride = s->value_dim;
  problem->query = query;
  problem->key = key;
  problem->value = value;
  problem->out = out;
  problem->lse = lse;
  return ATTEND_OK;
}

double problem_visible_pairs(const Problem *problem) {
  const double keys = (double)problem->shape.key_tokens;
  const double queries = (double)problem->shape.query_tokens;
  if (!problem->causal) return queries * keys;
  /* Visible keys rise by one a row between the rows that see none and those that see all. */
  const double start = (double)problem->q_start;
  const double blind = fmin(fmax(-start, 0.0), queries);
  const double full_from = fmin(fmax(keys - start, blind), queries);
  const double rising = full_from - blind;
  const double first = start + blind + 1.0;
  return rising * first + rising * (rising - 1.0) / 2.0 + (queries - full_from) * keys;
}
