/* shape.c - checks sizes, strides and pointers once, before anything is computed.
 *
 * Products of sizes that pass here fit in a size_t as bytes, so the paths multiply them without
 * looking. Nothing here computes, allocates or remembers.
 */
#include "problem/shape.h"

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

AttendStatus shape_check_positive(const NamedSize *sizes, size_t count, Fault *fault) {
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
  if (shape_check_positive(sizes, sizeof sizes / sizeof *sizes, fault)) return fault->status;
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
AttendStatus shape_check_rows_apart(const char *name, AttendOutputView out, const size_t counts[3],
                                    size_t row, Fault *fault) {
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
                       "%s has a stride of %zu that must be at least %zu, the extent of what it "
                       "steps over",
                       name, sorted[i].stride, extent);
    }
    extent += (sorted[i].count - 1) * sorted[i].stride;
  }
  return ATTEND_OK;
}
