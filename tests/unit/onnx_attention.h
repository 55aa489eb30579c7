/* onnx_attention.h - ONNX's Attention operator (opsets 23 to 25): a node in its own terms, what it
 * means in double, and how it is said through the library's C API.
 *
 * Tensors are those of the operator: Q, K, V with three dimensions [B, N, H*D] or four [B, H, N,
 * D], past keys and values [B, Hk, P, D], a mask that broadcasts to [B, Hq, Nq, P + N].
 */
#ifndef ATTEND_TESTS_UNIT_ONNX_ATTENTION_H
#define ATTEND_TESTS_UNIT_ONNX_ATTENTION_H

#include "tests/support/support.h"

typedef enum OnnxMaskType { ONNX_NO_MASK, ONNX_BOOL_MASK, ONNX_FLOAT_MASK } OnnxMaskType;

/* The attn_mask input. */
typedef struct OnnxMask {
  OnnxMaskType type;
  size_t shape[4]; /* 1 where it broadcasts; the last one may be shorter than the keys */
  size_t hidden;   /* of 100 elements, so many hide */
} OnnxMask;

/* A local window around the query's position; -1: no limit. */
typedef struct OnnxWindow {
  bool used;
  int64_t left, right;
} OnnxWindow;

/* What a test writes down. Zero leaves an attribute or input out. */
typedef struct OnnxNode {
  const char *name;
  struct {
    size_t batch, q_heads, kv_heads, q_length, kv_length, head_size, v_head_size;
  };
  size_t past_length;
  bool three_dims; /* Q, K, V and Y are [B, N, H*D] */
  float scale, softcap;
  bool is_causal;
  OnnxMask mask;
  const size_t *nonpad_kv_seqlen; /* [B] or null */
  OnnxWindow window;
} OnnxNode;

/* The node with its tensors, filled from a seed, and what it gives. */
typedef struct OnnxCall {
  OnnxNode node;
  size_t total; /* keys, those of the past first */
  float *q, *k, *v, *past_key, *past_value;
  float *float_mask;
  uint8_t *bool_mask;
  double *y;     /* [B, Nq, Hq, Dv], whatever the node's layout */
  double *qk[4]; /* [B, Hq, Nq, total] for each qk_matmul_output_mode */
} OnnxCall;

/* Fills the tensors and forms y and qk by the operator's definition. A row that sees no key is
 * 0. */
OnnxCall onnx_call_new(const OnnxNode *node, uint64_t seed);
void onnx_call_define(OnnxCall *call);
void onnx_call_free(OnnxCall *call);

/* Runs the node on an engine, and holds Y and every mode's output against the definition. */
void onnx_call_check(const OnnxCall *call, Engine engine);

#endif
