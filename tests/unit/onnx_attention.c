/* onnx_attention.c - ONNX's Attention operator by its definition, and through the library.
 *
 * The definition is written over the operator's own tensors and in its own order: the mask becomes
 * a tensor of numbers to add, padded with -inf, and everything that hides adds another -inf. It
 * knows neither the library's options nor the other oracle. The second half is how one says a node
 * to the library: layouts are strides, the present is the past and the new keys in one buffer, and
 * causality is a first position.
 */
#include "tests/unit/onnx_attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/core_case.h"
#include "tests/support/tap_record.h"

/* ---- the definition ---- */

static size_t mask_count(const OnnxNode *n) {
  return n->mask.shape[0] * n->mask.shape[1] * n->mask.shape[2] * n->mask.shape[3];
}

static void fill_mask(OnnxCall *call, uint64_t seed) {
  const OnnxNode *const n = &call->node;
  const size_t count = mask_count(n);
  if (n->mask.type == ONNX_BOOL_MASK) call->bool_mask = new_bytes(count);
  if (n->mask.type == ONNX_FLOAT_MASK) call->float_mask = new_random(seed, 2.0f, count);
  for (size_t k = 0; k < count && n->mask.type != ONNX_NO_MASK; k++) {
    const bool hides = case_draw(seed + 1, k, 100) < n->mask.hidden;
    if (call->bool_mask) call->bool_mask[k] = !hides;
    if (call->float_mask && hides) call->float_mask[k] = -INFINITY;
  }
}

OnnxCall onnx_call_new(const OnnxNode *node, uint64_t seed) {
  const OnnxNode *const n = node;
  OnnxCall call = {.node = *node, .total = node->past_length + node->kv_length};
  const size_t B = n->batch, rows = B * n->q_heads * n->q_length;
  call.q = new_random(10 * seed + 1, 1.0f, rows * n->head_size);
  call.k = new_random(10 * seed + 2, 1.0f, B * n->kv_heads * n->kv_length * n->head_size);
  call.v = new_random(10 * seed + 3, 1.0f, B * n->kv_heads * n->kv_length * n->v_head_size);
  call.past_key = new_random(10 * seed + 4, 1.0f, B * n->kv_heads * n->past_length * n->head_size);
  call.past_value =
      new_random(10 * seed + 5, 1.0f, B * n->kv_heads * n->past_length * n->v_head_size);
  fill_mask(&call, 10 * seed + 6);
  call.y = new_bytes(rows * n->v_head_size * sizeof(double));
  for (size_t m = 0; m < 4; m++) call.qk[m] = new_bytes(rows * call.total * sizeof(double));
  onnx_call_define(&call);
  return call;
}

void onnx_call_free(OnnxCall *call) {
  float *const floats[] = {call->q,        call->k,          call->v,
                           call->past_key, call->past_value, call->float_mask};
  for (size_t k = 0; k < COUNT_OF(floats); k++) free(floats[k]);
  free(call->bool_mask);
  free(call->y);
  for (size_t m = 0; m < 4; m++) free(call->qk[m]);
}

/* Element (b, n, h, d) of Q, K or V with `length` tokens. */
static float element(const OnnxNode *node, const float *tensor, size_t length, size_t heads,
                     size_t size, const size_t at[3], size_t d) {
  const size_t b = at[0], n = at[1], h = at[2];
  return node->three_dims ? tensor[((b * length + n) * heads + h) * size + d]
                          : tensor[((b * heads + h) * length + n) * size + d];
}

/* Element d of the present key (value) j of a sequence and kv head. */
static float present(const OnnxCall *call, bool is_key, size_t b, size_t j, size_t g, size_t d) {
  const OnnxNode *const n = &call->node;
  const size_t size = is_key ? n->head_size : n->v_head_size, past = n->past_length;
  const float *const before = is_key ? call->past_key : call->past_value;
  if (j < past) return before[((b * n->kv_heads + g) * past + j) * size + d];
  return element(n, is_key ? call->k : call->v, n->kv_length, n->kv_heads, size,
                 (const size_t[]){b, j - past, g}, d);
}

/* What the mask adds to a score: a boolean one 0 or -inf, and -inf where it is too short. */
static double mask_term(const OnnxCall *call, size_t b, size_t h, size_t i, size_t j) {
  const OnnxNode *const n = &call->node;
  const size_t *const shape = n->mask.shape;
  if (n->mask.type == ONNX_NO_MASK) return 0.0;
  if (j >= shape[3]) return -INFINITY;
  const size_t at =
      ((b % shape[0] * shape[1] + h % shape[1]) * shape[2] + i % shape[2]) * shape[3] + j;
  if (n->mask.type == ONNX_FLOAT_MASK) return (double)call->float_mask[at];
  return call->bool_mask[at] ? 0.0 : -INFINITY;
}

/* What position and padding add to a score. The queries are the last of the keys that are not
 * padding, or follow the past. */
static double position_term(const OnnxNode *n, size_t b, size_t i, size_t j) {
  const int64_t start = n->nonpad_kv_seqlen ? (int64_t)n->nonpad_kv_seqlen[b] - (int64_t)n->q_length
                                            : (int64_t)n->past_length;
  const int64_t distance = start + (int64_t)i - (int64_t)j;
  if (n->nonpad_kv_seqlen && j >= n->nonpad_kv_seqlen[b]) return -INFINITY;
  if (n->is_causal && distance < 0) return -INFINITY;
  if (n->window.used && n->window.left >= 0 && distance > n->window.left) return -INFINITY;
  if (n->window.used && n->window.right >= 0 && -distance > n->window.right) return -INFINITY;
  return 0.0;
}

static void define_row(OnnxCall *call, size_t b, size_t h, size_t i) {
  const OnnxNode *const n = &call->node;
  const size_t g = h / (n->q_heads / n->kv_heads), total = call->total;
  const size_t row = ((b * n->q_heads + h) * n->q_length + i) * total;
  const double scale = n->scale != 0.0f ? (double)n->scale : 1.0 / sqrt((double)n->head_size);
  double *const y = call->y + ((b * n->q_length + i) * n->q_heads + h) * n->v_head_size;
  double sum = 0.0;
  for (size_t j = 0; j < total; j++) {
    double dot = 0.0;
    for (size_t d = 0; d < n->head_size; d++)
      dot += (double)element(n, call->q, n->q_length, n->q_heads, n->head_size,
                             (const size_t[]){b, i, h}, d) *
             (double)present(call, true, b, j, g, d);
    const double score = scale * dot, cap = (double)n->softcap;
    const double capped = n->softcap > 0.0f ? cap * tanh(score / cap) : score;
    const double masked = capped + mask_term(call, b, h, i, j) + position_term(n, b, i, j);
    call->qk[0][row + j] = score;
    call->qk[1][row + j] = capped;
    call->qk[2][row + j] = masked;
    sum += exp(masked);
  }
  for (size_t d = 0; d < n->v_head_size; d++) y[d] = 0.0;
  for (size_t j = 0; j < total; j++) {
    const double weight = sum > 0.0 ? exp(call->qk[2][row + j]) / sum : 0.0;
    call->qk[3][row + j] = weight;
    for (size_t d = 0; d < n->v_head_size; d++)
      y[d] += weight * (double)present(call, false, b, j, g, d);
  }
}

void onnx_call_define(OnnxCall *call) {
  const OnnxNode *const n = &call->node;
  for (size_t b = 0; b < n->batch; b++)
    for (size_t h = 0; h < n->q_heads; h++)
      for (size_t i = 0; i < n->q_length; i++) define_row(call, b, h, i);
}

/* ---- through the library ---- */

/* The present keys (values), [B, Hk, total, size]: what the operator gives back beside Y. */
static float *new_present(const OnnxCall *call, bool is_key) {
  const OnnxNode *const n = &call->node;
  const size_t size = is_key ? n->head_size : n->v_head_size;
  float *const tensor = new_bytes(n->batch * n->kv_heads * call->total * size * sizeof *tensor);
  for (size_t b = 0; b < n->batch; b++)
    for (size_t g = 0; g < n->kv_heads; g++)
      for (size_t j = 0; j < call->total; j++)
        for (size_t d = 0; d < size; d++)
          tensor[((b * n->kv_heads + g) * call->total + j) * size + d] =
              present(call, is_key, b, j, g, d);
  return tensor;
}

/* A view of Q, K or V as it stands: three or four dimensions differ in strides alone. */
static AttendView view_of(const OnnxNode *n, const float *tensor, size_t length, size_t heads,
                          size_t size) {
  return n->three_dims ? attend_view_bnhd(tensor, length, heads, size)
                       : attend_view_bhnd(tensor, length, heads, size);
}

/* The stride of dimension k of the mask, 0 where it broadcasts. */
static size_t mask_stride(const OnnxNode *n, size_t k) {
  size_t stride = 1;
  for (size_t i = k + 1; i < 4; i++) stride *= n->mask.shape[i];
  return n->mask.shape[k] == 1 && k < 3 ? 0 : stride;
}

/* The node as options. starts has room for the batch. */
static AttendOptions options_of(const OnnxCall *call, int64_t *starts) {
  const OnnxNode *const n = &call->node;
  const size_t strides[] = {mask_stride(n, 0), mask_stride(n, 1), mask_stride(n, 2)};
  AttendOptions options;
  attend_default_options(&options);
  options.scale = n->scale;
  options.softcap = n->softcap;
  options.causal = n->is_causal;
  options.q_start = (int64_t)n->past_length;
  options.key_lengths = n->nonpad_kv_seqlen;
  for (size_t b = 0; n->nonpad_kv_seqlen && b < n->batch; b++)
    starts[b] = (int64_t)n->nonpad_kv_seqlen[b] - (int64_t)n->q_length;
  if (n->nonpad_kv_seqlen) options.q_starts = starts;
  if (n->window.used) {
    options.window_left = n->window.left;
    options.window_right = n->window.right;
  }
  if (call->bool_mask)
    options.mask =
        (AttendMask){call->bool_mask, strides[0], strides[1], strides[2], 1, n->mask.shape[3]};
  if (call->float_mask)
    options.bias =
        (AttendBias){call->float_mask, strides[0], strides[1], strides[2], 1, n->mask.shape[3]};
  return options;
}

/* Y, in the node's layout, against the definition. */
static void check_y(const OnnxCall *call, const char *label, AttendOutputView y) {
  const OnnxNode *const n = &call->node;
  for (size_t r = 0; r < n->batch * n->q_length * n->q_heads; r++) {
    const size_t h = r % n->q_heads, i = r / n->q_heads % n->q_length;
    const size_t b = r / n->q_heads / n->q_length;
    check_close(label, y.data + b * y.batch_stride + i * y.token_stride + h * y.head_stride,
                call->y + r * n->v_head_size, n->v_head_size);
  }
}

/* The output of each qk_matmul_output_mode is a tap's matrix of every head. */
static void check_modes(const OnnxCall *call, const char *label, const TapRecord *record) {
  static const char *const names[] = {"scores", "capped_scores", "masked_scores", "weights"};
  const OnnxNode *const n = &call->node;
  for (size_t mode = 0; mode < 4; mode++) {
    /* Without a softcap the scores pass that step as they are. */
    const char *const name = names[mode == 1 && n->softcap == 0.0f ? 0 : mode];
    for (size_t b = 0; b < n->batch; b++) {
      for (size_t h = 0; h < n->q_heads; h++) {
        const TapMatrix *const matrix = tap_record_find(record, name, b, h);
        if (!matrix || matrix->rows != n->q_length || matrix->columns != call->total)
          fail_msg("%s: there is no %s of b=%zu h=%zu with %zu x %zu elements", label, name, b, h,
                   n->q_length, call->total);
        check_close(label, matrix->data,
                    call->qk[mode] + (b * n->q_heads + h) * n->q_length * call->total,
                    n->q_length * call->total);
      }
    }
  }
}

void onnx_call_check(const OnnxCall *call, Engine engine) {
  const OnnxNode *const n = &call->node;
  const AttendShape shape = {n->batch,    n->q_length,  call->total,   n->q_heads,
                             n->kv_heads, n->head_size, n->v_head_size};
  char label[96];
  snprintf(label, sizeof label, "%s on %s %s", n->name, attend_path_name(engine.path),
           attend_isa_name(engine.isa));
  AttendView key = view_of(n, call->k, n->kv_length, n->kv_heads, n->head_size);
  AttendView value = view_of(n, call->v, n->kv_length, n->kv_heads, n->v_head_size);
  float *const present_key = n->past_length ? new_present(call, true) : NULL;
  float *const present_value = n->past_length ? new_present(call, false) : NULL;
  if (present_key) {
    key = attend_view_bhnd(present_key, call->total, n->kv_heads, n->head_size);
    value = attend_view_bhnd(present_value, call->total, n->kv_heads, n->v_head_size);
  }
  const size_t floats = n->batch * n->q_length * n->q_heads * n->v_head_size;
  float *const y = guarded_new(floats * sizeof *y, 0);
  const AttendOutputView out = n->three_dims
                                   ? attend_output_bnhd(y, n->q_length, n->q_heads, n->v_head_size)
                                   : attend_output_bhnd(y, n->q_length, n->q_heads, n->v_head_size);
  int64_t *const starts = new_bytes(n->batch * sizeof *starts);
  const AttendOptions options = options_of(call, starts);
  AttendContext *context = engine_open(engine, 2);
  TapRecord record;
  tap_record_start(&record, context);
  assert_ok(context, attend_set_tap_rows(context, 0, n->q_length));
  assert_ok(context, attend_core_forward(context, &shape,
                                         view_of(n, call->q, n->q_length, n->q_heads, n->head_size),
                                         key, value, &options, out, NULL));
  check_y(call, label, out);
  check_modes(call, label, &record);
  attend_close(&context);
  tap_record_clear(&record);
  guarded_free(y, "Y");
  free(starts);
  free(present_key);
  free(present_value);
}
