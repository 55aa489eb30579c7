/* weights.c - packs a layer's matrices into the two that the layer multiplies by.
 *
 * W_qkv = [W_q | W_k | W_v] stands side by side in [in, out] order, so one product gives Q, K and V
 * as column chunks of one matrix; matrices given as [out, in] are transposed here, once. Packed
 * weights do not change afterwards.
 */
#include "weights.h"

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "size.h"

void attend_default_weight_source(AttendWeightSource *source) {
  if (!source) return;
  *source = (AttendWeightSource){.struct_size = sizeof *source};
}

/* A matrix of the source with its bias, and where its columns go. */
typedef struct Part {
  const char *name;
  const float *weight, *bias;
  size_t columns, first_column;
} Part;

/* to[in, first..first+columns) = part's matrix, whichever way round it lies. */
static void copy_columns(const Part *part, AttendOrientation orientation, size_t in, float *to,
                         size_t to_stride) {
  const size_t block = 32; /* rows and columns at a time, so that both sides stay in cache lines */
  float *const first = to + part->first_column;
  if (orientation == ATTEND_IN_OUT) {
    for (size_t i = 0; i < in; i++) {
      memcpy(first + i * to_stride, part->weight + i * part->columns,
             part->columns * sizeof *first);
    }
    return;
  }
  for (size_t i0 = 0; i0 < in; i0 += block) {
    for (size_t o0 = 0; o0 < part->columns; o0 += block) {
      for (size_t i = i0; i < size_min(i0 + block, in); i++) {
        for (size_t o = o0; o < size_min(o0 + block, part->columns); o++) {
          first[i * to_stride + o] = part->weight[o * in + i];
        }
      }
    }
  }
}

static AttendStatus check_source(const AttendWeightSource *source, Fault *fault) {
  if (source->struct_size != sizeof *source) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.struct_size is %zu; attend_default_weight_source() sets it to %zu",
                     source->struct_size, sizeof *source);
  }
  if (source->orientation != ATTEND_IN_OUT && source->orientation != ATTEND_OUT_IN) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.orientation is %d; it must be ATTEND_IN_OUT or ATTEND_OUT_IN",
                     (int)source->orientation);
  }
  const bool any = source->query || source->key || source->value;
  const bool all = source->query && source->key && source->value;
  const bool any_bias = source->query_bias || source->key_bias || source->value_bias;
  if (source->qkv && (any || any_bias)) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source has qkv and also a separate query, key or value matrix or bias; give "
                     "one or the other");
  }
  if (!source->qkv && source->qkv_bias) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source has qkv_bias without qkv; with separate matrices give query_bias, "
                     "key_bias and value_bias");
  }
  if (!source->qkv && !all) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER,
                     "source needs qkv, or query, key and value; %s is null",
                     !source->query ? "query"
                     : !source->key ? "key"
                                    : "value");
  }
  if (!source->output) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "source.output is null; it must hold W_o");
  }
  return ATTEND_OK;
}

static AttendStatus check_parts(const Part *parts, size_t count, size_t in, Fault *fault) {
  for (size_t i = 0; i < count; i++) {
    const Span weight = {parts[i].name, parts[i].weight, in * parts[i].columns};
    const Span bias = {parts[i].name, parts[i].bias, parts[i].columns};
    if (shape_check_pointer(weight, fault)) return fault->status;
    if (bias.data && shape_check_pointer(bias, fault)) return fault->status;
  }
  return ATTEND_OK;
}

/* Copies parts side by side into one matrix and its bias. bias may be null. */
static Linear pack(const Part *parts, size_t count, AttendOrientation orientation, size_t in,
                   size_t out, float *weight, float *bias) {
  for (size_t i = 0; i < count; i++) {
    copy_columns(&parts[i], orientation, in, weight, out);
    for (size_t o = 0; bias && o < parts[i].columns; o++) {
      bias[parts[i].first_column + o] = parts[i].bias ? parts[i].bias[o] : 0.0f;
    }
  }
  return (Linear){in, out, weight, bias};
}

AttendStatus attend_pack_weights(AttendContext *context, const AttendLayerShape *shape,
                                 const AttendWeightSource *source, AttendWeights **weights) {
  if (weights) *weights = NULL;
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!shape || !source || !weights) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null",
                     !shape    ? "shape"
                     : !source ? "source"
                               : "weights");
  }
  LayerColumns c;
  if (shape_check_layer(shape, &c, fault) || check_source(source, fault)) return fault->status;

  const Part fused = {"qkv", source->qkv, source->qkv_bias, c.qkv, 0};
  const Part separate[] = {
      {"query", source->query, source->query_bias, c.query, 0},
      {"key", source->key, source->key_bias, c.key, c.query},
      {"value", source->value, source->value_bias, c.value, c.query + c.key},
  };
  const Part output = {"output", source->output, source->output_bias, shape->width, 0};
  const Part *const parts = source->qkv ? &fused : separate;
  const size_t count = source->qkv ? 1 : 3;
  if (check_parts(parts, count, shape->width, fault)) return fault->status;
  if (check_parts(&output, 1, c.context, fault)) return fault->status;

  const bool biased =
      source->qkv_bias || source->query_bias || source->key_bias || source->value_bias;
  Layout layout = {0};
  layout_floats(&layout, size_ceil_divide(sizeof(AttendWeights), sizeof(float)), 1);
  const size_t qkv_at = layout_floats(&layout, shape->width, c.qkv);
  const size_t qkv_bias_at = layout_floats(&layout, biased ? c.qkv : 0, 1);
  const size_t output_at = layout_floats(&layout, c.context, shape->width);
  const size_t output_bias_at = layout_floats(&layout, source->output_bias ? shape->width : 0, 1);
  void *const memory = layout.overflow ? NULL : memory_allocate(layout.bytes);
  if (!memory) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes for packed weights could not be allocated", layout.bytes);
  }
  AttendWeights *const packed = memory;
  *packed = (AttendWeights){
      .shape = *shape,
      .columns = c,
      .bytes = layout.bytes,
      .qkv = pack(parts, count, source->orientation, shape->width, c.qkv, layout_at(memory, qkv_at),
                  biased ? layout_at(memory, qkv_bias_at) : NULL),
      .output = pack(&output, 1, source->orientation, c.context, shape->width,
                     layout_at(memory, output_at),
                     source->output_bias ? layout_at(memory, output_bias_at) : NULL),
  };
  *weights = packed;
  return ATTEND_OK;
}

void attend_free_weights(AttendWeights **weights) {
  if (!weights) return;
  free(*weights);
  *weights = NULL;
}

AttendLayerShape attend_weights_shape(const AttendWeights *weights) {
  return weights->shape;
}

size_t attend_weights_bytes(const AttendWeights *weights) {
  return weights->bytes;
}
