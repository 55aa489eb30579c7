/* oracle.h - attention in float64, to hold the library against.
 *
 * The oracle shares no code, type or header with the library, so that a mistake in one is not a
 * mistake in both. It reads the caller's fp32 data and does everything else in double. It is written
 * to be checked by reading, except for oracle_layer_row(), which trades that for being affordable at
 * LLaMA widths and is itself held against oracle_layer(). Letters are those of attend.h.
 */
#ifndef ATTEND_TESTS_ORACLE_H
#define ATTEND_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [B, N, H, dim]: element (b, n, h, d) is data[b*batch_stride + n*token_stride + h*head_stride + d]. */
typedef struct OracleView {
  const float *data;
  size_t batch_stride, token_stride, head_stride;
} OracleView;

/* softmax(scale * Q K^T + mask) V, per head. Key j is visible to query i when j <= q_start + i, or
 * always if not causal. scale 0 means 1/sqrt(head_dim). */
typedef struct OracleCore {
  size_t batch, query_tokens, key_tokens, query_heads, kv_heads, head_dim, value_dim;
  OracleView query, key, value;
  double scale;
  bool causal;
  int64_t q_start;
} OracleCore;

/* What bounds the rounding error of a row in a lower precision. */
typedef struct OracleRow {
  double lse;             /* log of the sum of exponentials of the scores, -inf for an empty row */
  double score_magnitude; /* max over visible j of |scale| * sum_d |q_d k_jd| */
  size_t visible;         /* keys that the row sees */
} OracleRow;

/* One row of the core.
 *   scores     scratch for key_tokens doubles
 *   row        [Dv] the output
 *   magnitude  [Dv] sum_j p_j |v_j|, or null
 *   spread     [Dv] sum_j p_j |v_j - row|, or null: scores that are wrong by at most e move the row
 *              by at most expm1(2 e) * spread
 * Hidden keys and values are not read. A row without visible key, or whose scores are all -inf, is
 * zero; a NaN among the scores makes the row NaN. */
OracleRow oracle_core_row(const OracleCore *core, size_t batch, size_t token, size_t head,
                          double *scores, double *row, double *magnitude, double *spread);

/* Every row, in parallel. out, magnitude and spread are [B, Nq, Hq, Dv], rows is [B, Hq, Nq].
 * magnitude and spread may be null. Returns false if memory ran out. */
bool oracle_core(const OracleCore *core, double *out, double *magnitude, double *spread,
                 OracleRow *rows);

/* Y = concat(attention(X W_qkv + b_qkv)) W_o + b_o over `past` given tokens and then the new ones:
 *   x [B, tokens, E]   qkv [E, Hq*D + Hk*D + Hk*Dv]   output [Hq*Dv, E]   biases null or as wide
 *   past_key [B, past, Hk, D]   past_value [B, past, Hk, Dv]
 * New token i stands at position past + q_start + i when keys are counted from the first past one. */
typedef struct OracleLayer {
  size_t batch, tokens, past;
  size_t width, query_heads, kv_heads, head_dim, value_dim;
  const float *x, *qkv, *qkv_bias, *output, *output_bias;
  OracleView past_key, past_value;
  double scale;
  bool causal;
  int64_t q_start;
} OracleLayer;

/* All of Y [B, tokens, E], by projecting every token: small sizes. Returns false if memory ran out. */
bool oracle_layer(const OracleLayer *layer, double *y);

/* One row of Y, [E], without forming K and V. Finite data only. With u = W_k q and p the weights,
 *   q . (x_j W_k + b_k) = x_j . u + q . b_k
 *   sum_j p_j (x_j W_v + b_v) = (sum_j p_j x_j) W_v + (sum_j p_j) b_v
 * so that a row costs Hq * (2 E N + 4 E D) multiply-adds. Returns false if memory ran out. */
bool oracle_layer_row(const OracleLayer *layer, size_t batch, size_t token, double *y);

#endif
