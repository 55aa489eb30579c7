/* weights.c - packs a layer's matrices into the two that the layer multiplies by.
 *
 * The columns of W_qkv are those of W_q, W_k and W_v side by side, in [in, out] order. So one
 * product gives Q, K and V as column chunks of one matrix. linear.c packs W_qkv and W_o in their storage.
 * The weights of QK-norm, and RoPE's frequencies or tables, follow in the same block. Packed weights
 * do not change afterwards and point to nothing of the caller's.
 */
#include "layer/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "platform/memory.h"
#include "size.h"

void attend_default_weight_source(AttendWeightSource *source) {
  if (!source) return;
  *source = (AttendWeightSource){.struct_size = sizeof *source, .norm_epsilon = 1e-6f};
  attend_default_rope(&source->rope);
}

static AttendStatus check_settings(const AttendWeightSource *source, Fault *fault) {
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
  if (!attend_storage_name(source->storage)) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.storage is %d; it must be one of ATTEND_STORAGE_..., 0 to %d",
                     (int)source->storage, ATTEND_STORAGE_COUNT - 1);
  }
  if (!isfinite(source->norm_epsilon) || source->norm_epsilon < 0.0f) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION,
                     "source.norm_epsilon is %g; it must be finite and at least 0",
                     (double)source->norm_epsilon);
  }
  return ATTEND_OK;
}

/* Which matrices and biases there are. */
static AttendStatus check_choice(const AttendWeightSource *source, Fault *fault) {
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

static AttendStatus check_norms(const AttendWeightSource *source, size_t head_dim, Fault *fault) {
  if (!source->query_norm && !source->key_norm) return ATTEND_OK;
  if (!source->query_norm || !source->key_norm) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER,
                     "source.%s is null and the other norm is not; give both or neither",
                     source->query_norm ? "key_norm" : "query_norm");
  }
  const Span query = {"source.query_norm", source->query_norm, head_dim};
  const Span key = {"source.key_norm", source->key_norm, head_dim};
  if (shape_check_pointer(query, fault)) return fault->status;
  return shape_check_pointer(key, fault);
}

/* Checks the addresses of the matrices and biases that are given, each by its own name. */
static AttendStatus check_addresses(const AttendWeightSource *source, Fault *fault) {
  const Span spans[] = {
      {"source.query", source->query, 1},       {"source.key", source->key, 1},
      {"source.value", source->value, 1},       {"source.qkv", source->qkv, 1},
      {"source.output", source->output, 1},     {"source.query_bias", source->query_bias, 1},
      {"source.key_bias", source->key_bias, 1}, {"source.value_bias", source->value_bias, 1},
      {"source.qkv_bias", source->qkv_bias, 1}, {"source.output_bias", source->output_bias, 1}};
  for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
    if (spans[i].data && shape_check_pointer(spans[i], fault)) return fault->status;
  }
  return ATTEND_OK;
}

/* The matrices of a source as parts of the two that are packed. */
typedef struct Parts {
  LinearPart qkv[3], output;
  size_t qkv_count;
  bool biased; /* any bias among Q, K and V */
} Parts;

static Parts parts_of(const AttendWeightSource *source, const AttendLayerShape *shape,
                      const LayerColumns *c) {
  Parts parts = {.output = {source->output, source->output_bias, shape->width, 0},
                 .biased = source->qkv_bias || source->query_bias || source->key_bias ||
                           source->value_bias};
  if (source->qkv || source->qkv_bias) {
    parts.qkv[parts.qkv_count++] = (LinearPart){source->qkv, source->qkv_bias, c->qkv, 0};
    return parts;
  }
  parts.qkv[parts.qkv_count++] = (LinearPart){source->query, source->query_bias, c->query, 0};
  parts.qkv[parts.qkv_count++] = (LinearPart){source->key, source->key_bias, c->key, c->query};
  parts.qkv[parts.qkv_count++] =
      (LinearPart){source->value, source->value_bias, c->value, c->query + c->key};
  return parts;
}

/* Byte offsets in the block, from the packed weights' own struct on. */
typedef struct Places {
  Layout layout;
  size_t qkv, qkv_bias, output, output_bias, query_norm, key_norm;
  size_t frequencies; /* doubles */
  size_t cos, sin;
} Places;

static Places lay_out(const AttendWeightSource *source, const AttendLayerShape *shape,
                      const LayerColumns *c, AttendStorage storage, bool biased) {
  const AttendRope *const rope = &source->rope;
  const size_t norms = source->query_norm ? shape->head_dim : 0;
  const bool rotates = rope->pairing != ATTEND_ROPE_NONE;
  const size_t pairs = rotates ? rope_dims(rope, shape->head_dim) / 2 : 0;
  Places at = {0};
  Layout *const layout = &at.layout;
  layout_floats(layout, size_ceil_divide(sizeof(AttendWeights), sizeof(float)), 1);
  at.qkv = linear_reserve(layout, shape->width, c->qkv, storage);
  at.qkv_bias = layout_floats(layout, biased ? c->qkv : 0, 1);
  at.output = linear_reserve(layout, c->context, shape->width, storage);
  at.output_bias = layout_floats(layout, source->output_bias ? shape->width : 0, 1);
  at.query_norm = layout_floats(layout, norms, 1);
  at.key_norm = layout_floats(layout, norms, 1);
  at.frequencies = layout_floats(layout, rope->cos ? 0 : pairs, sizeof(double) / sizeof(float));
  at.cos = layout_floats(layout, rope->cos ? rope->table_positions : 0, pairs);
  at.sin = layout_floats(layout, rope->cos ? rope->table_positions : 0, pairs);
  return at;
}

/* A copy of floats in the block, or null of none. */
static const float *copy_floats(void *memory, size_t at, const float *from, size_t floats) {
  return from ? memcpy(layout_at(memory, at), from, floats * sizeof *from) : NULL;
}

static Rope pack_rope(const AttendRope *from, size_t head_dim, void *memory, const Places *at) {
  if (from->pairing == ATTEND_ROPE_NONE) return (Rope){.pairing = ATTEND_ROPE_NONE};
  Rope rope = {.pairing = from->pairing,
               .dims = rope_dims(from, head_dim),
               .attention_factor = rope_attention_factor(from)};
  if (from->cos) {
    const size_t floats = from->table_positions * (rope.dims / 2);
    rope.cos = copy_floats(memory, at->cos, from->cos, floats);
    rope.sin = copy_floats(memory, at->sin, from->sin, floats);
    rope.table_positions = from->table_positions;
    return rope;
  }
  double *const frequencies = (double *)((char *)memory + at->frequencies);
  rope_set_frequencies(from, rope.dims, frequencies);
  rope.frequencies = frequencies;
  return rope;
}

static void fill_weights(const AttendWeightSource *source, const AttendLayerShape *shape,
                         const LayerColumns *c, const Parts *parts, AttendStorage storage,
                         const Places *at, AttendWeights *packed) {
  void *const memory = packed;
  float *const bias = parts->biased ? layout_at(memory, at->qkv_bias) : NULL;
  float *const output_bias = source->output_bias ? layout_at(memory, at->output_bias) : NULL;
  const size_t D = shape->head_dim;
  if (bias) linear_fill_bias(parts->qkv, parts->qkv_count, bias);
  if (output_bias) linear_fill_bias(&parts->output, 1, output_bias);
  *packed = (AttendWeights){
      .shape = *shape,
      .columns = *c,
      .bytes = at->layout.bytes,
      .qkv = linear_at(shape->width, c->qkv, storage, layout_at(memory, at->qkv), bias),
      .output =
          linear_at(c->context, shape->width, storage, layout_at(memory, at->output), output_bias),
      .query_norm = copy_floats(memory, at->query_norm, source->query_norm, D),
      .key_norm = copy_floats(memory, at->key_norm, source->key_norm, D),
      .norm_epsilon = (double)source->norm_epsilon,
      .rope = pack_rope(&source->rope, D, memory, at),
  };
}

AttendStatus weights_begin(AttendContext *context, const AttendLayerShape *shape,
                           const AttendWeightSource *source, AttendWeights **weights) {
  Fault *const fault = &context->fault;
  LayerColumns c;
  if (shape_check_layer(shape, &c, fault) || check_settings(source, fault) ||
      check_norms(source, shape->head_dim, fault) ||
      rope_check(&source->rope, shape->head_dim, fault)) {
    return fault->status;
  }
  const Parts parts = parts_of(source, shape, &c);
  const AttendStorage storage = storage_resolve(source->storage, context->settings.precision);
  const Places at = lay_out(source, shape, &c, storage, parts.biased);
  if (at.layout.overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "weights of width %zu with RoPE tables of %zu positions "
                     "(source.rope.table_positions) cannot be counted in bytes",
                     shape->width, source->rope.table_positions);
  }
  AttendWeights *const packed = memory_allocate(at.layout.bytes);
  if (!packed) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes for packed weights could not be allocated", at.layout.bytes);
  }
  fill_weights(source, shape, &c, &parts, storage, &at, packed);
  *weights = packed;
  return ATTEND_OK;
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
  if (shape_check_layer(shape, &c, fault) || check_settings(source, fault) ||
      check_choice(source, fault) || check_addresses(source, fault) ||
      weights_begin(context, shape, source, weights)) {
    return fault->status;
  }
  const Parts parts = parts_of(source, shape, &c);
  const LinearSource qkv = {parts.qkv, parts.qkv_count, source->orientation, 0, shape->width};
  const LinearSource output = {&parts.output, 1, source->orientation, 0, c.context};
  linear_fill(context, &qkv, &(*weights)->qkv);
  linear_fill(context, &output, &(*weights)->output);
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
