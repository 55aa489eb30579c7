/* oracle.h - attention in float64, to hold the library against.
 *
 * The oracle shares no code, type or header with the library, so that a mistake in one is not a
 * mistake in both. It reads the caller's fp32 data and does everything else in double. It is
 * written to be checked by reading, except for oracle_layer_row(), which trades that for being
 * affordable at LLaMA widths and is itself held against oracle_layer(). Letters are those of
 * attend.h.
 */
#ifndef ATTEND_BENCH_ORACLE_ORACLE_H
#define ATTEND_BENCH_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/oracle/oracle_rope.h"

/* [B, N, H, dim]: element (b, n, h, d) is data[b*batch_stride + n*token_stride + h*head_stride +
 * d]. */
typedef struct OracleView {
  const float *data;
  size_t batch_stride, token_stride, head_stride;
} OracleView;

/* A number for each score: element (b, h, i, j) is
 * data[b*batch_stride + h*head_stride + i*query_stride + j*key_stride], i and j counted within a
 * sequence. Keys from `keys` on are hidden; 0: none are. data null: no such numbers. */
typedef struct OracleBias {
  const float *data;
  size_t batch_stride, head_stride, query_stride, key_stride, keys;
} OracleBias;

/* The same for bytes, of which 0 hides the key. */
typedef struct OracleMask {
  const uint8_t *data;
  size_t batch_stride, head_stride, query_stride, key_stride, keys;
} OracleMask;

/* Keys that may be seen on one side of the query's position. */
typedef struct OracleWindow {
  bool limited;
  int64_t keys;
} OracleWindow;

/* What happens to a row's scores beside the scale and causality. All zero: nothing. */
typedef struct OracleScoring {
  double softcap;            /* 0: none */
  const float *alibi_slopes; /* [Hq] or null */
  const float *sinks;        /* [Hq] or null */
  OracleWindow left, right;
  OracleBias bias;
  OracleMask mask;
} OracleScoring;

/* Sequences of different lengths. Each null or [B], offsets [B + 1]; with query_offsets the
 * sequences follow each other in the token dimension and batch strides are not used. */
typedef struct OracleLengths {
  const size_t *key_lengths;
  const int64_t *q_starts;
  const size_t *query_offsets, *key_offsets;
} OracleLengths;

/* By how much a score may be off in a lower precision:
 *   product * |scale| sum_d |q_d k_jd| + term * (|capped score| + |alibi| + |bias| + |score - max|)
 * where what an option does not ask for does not count. */
typedef struct OracleSlack {
  double product, term;
} OracleSlack;

/* softmax(scale * Q K^T + ...) V, per head. The query of token i stands at position p = q_start +
 * i. Its score with key j is scaled, capped, lowered by alibi_slope * |p - j|, raised by the bias,
 * and hidden if causal and j > p, or outside the window, the mask or the key's length, or with a
 * bias of -inf. scale 0 means 1/sqrt(head_dim). */
typedef struct OracleCore {
  size_t batch, query_tokens, key_tokens, query_heads, kv_heads, head_dim, value_dim;
  OracleView query, key, value;
  double scale;
  bool causal;
  int64_t q_start;
  OracleScoring scoring;
  OracleLengths lengths;
  OracleSlack slack;
} OracleCore;

/* One sequence of the batch. */
typedef struct OracleSequence {
  size_t query_tokens, key_tokens;
  size_t key_limit;              /* keys from here on are hidden */
  size_t query_at, key_at;       /* its first tokens in a ragged batch, else 0 */
  size_t query_batch, key_batch; /* where it stands in the batch dimension: 0 in a ragged batch */
  int64_t q_start;
} OracleSequence;

OracleSequence oracle_sequence(const OracleCore *core, size_t batch);

/* Whether the query of a token and head sees key j: its score may still be -inf. */
bool oracle_sees(const OracleCore *core, size_t batch, size_t token, size_t head, size_t key);

/* What bounds the rounding error of a row in a lower precision. */
typedef struct OracleRow {
  double lse;     /* log of the sum of exponentials of the scores, -inf for an empty row */
  double drift;   /* sum_j w_j expm1(2 slack_j): the most that slack changes the sum, over the sum;
                     only formed with a spread */
  size_t visible; /* keys that the row sees */
} OracleRow;

/* One row of the core; token counts within the sequence.
 *   scores     scratch for key_tokens doubles, and as many again where spread is asked for
 *   row        [Dv] the output
 *   magnitude  [Dv] sum_j |w_j| |v_j|, or null
 *   spread     [Dv] sum_j w_j expm1(2 slack_j) |v_j - row|, or null: the most that scores which are
 *              off by their slack move the row. A sink counts as a key with value 0.
 * Hidden keys and values are not read. A row without visible key, or whose scores are all -inf, is
 * zero; a NaN among the scores makes the row NaN. */
OracleRow oracle_core_row(const OracleCore *core, size_t batch, size_t token, size_t head,
                          double *scores, double *row, double *magnitude, double *spread);

/* Every row, in parallel. out, magnitude and spread are [B, Nq, Hq, Dv], rows is [B, Hq, Nq]; of a
 * ragged batch [total, Hq, Dv] and [Hq, total]. magnitude and spread may be null. Returns false if
 * memory ran out. */
bool oracle_core(const OracleCore *core, double *out, double *magnitude, double *spread,
                 OracleRow *rows);

/* The steps on the way to a row, each [key_tokens of the sequence] or null. scores and capped are
 * those of all keys, hidden or not; masked is -inf where the key is hidden; weights are of what the
 * row sees. */
typedef struct OracleSteps {
  double *scores, *capped, *masked, *weights;
} OracleSteps;

void oracle_core_steps(const OracleCore *core, size_t batch, size_t token, size_t head,
                       const OracleSteps *steps);

/* The last steps of a row alone, for scores that were formed elsewhere; the core's views are not
 * read. The first makes the final score of a scaled one, -inf where the row does not see the key;
 * the second makes weights of the final scores of all keys, beside the head's sink. */
double oracle_core_score(const OracleCore *core, size_t batch, size_t token, size_t head,
                         size_t key, double scaled);
void oracle_core_weigh(const OracleCore *core, size_t head, double *scores, size_t count);

/* Y = concat(attention(X W_qkv + b_qkv)) W_o + b_o over `past` given tokens and then the new ones:
 *   x [B, tokens, E]   qkv [E, Hq*D + Hk*D + Hk*Dv]   output [Hq*Dv, E]   biases null or as wide
 *   past_key [B, past, Hk, D]   past_value [B, past, Hk, Dv]
 * New token i stands at position past + q_start + i when keys are counted from the first past one.
 * Heads of Q and K of new tokens go through RMSNorm, if there are weights for it, and are rotated as
 * at position past + i. Past keys are taken as they are. In the scoring's bias and mask i counts
 * new tokens and j counts keys from the first past one. */
typedef struct OracleLayer {
  size_t batch, tokens, past;
  size_t width, query_heads, kv_heads, head_dim, value_dim;
  const float *x, *qkv, *qkv_bias, *output, *output_bias;
  const float *query_norm, *key_norm; /* [D] or null */
  double norm_epsilon;
  OracleRope rope; /* zero: none */
  OracleView past_key, past_value;
  double scale;
  bool causal;
  int64_t q_start;
  OracleScoring scoring; /* by softmax only */
} OracleLayer;

/* All of Y [B, tokens, E], by projecting every token: small sizes. Returns false if memory ran
 * out. */
bool oracle_layer(const OracleLayer *layer, double *y);

/* Keys that a row may see by its position, past ones included: begin .. end - 1. */
void oracle_layer_range(const OracleLayer *layer, size_t token, size_t *begin, size_t *end);

/* Keys of new tokens first .. first + count - 1 of a sequence, after norm and RoPE, into keys
 * [tokens, Hk, D] at their place: E * Hk * D multiply-adds a token. Returns false if memory ran
 * out. */
bool oracle_layer_keys(const OracleLayer *layer, size_t batch, size_t first, size_t count,
                       double *keys);

/* One row of Y, [E], without forming V. Finite data only. With p the weights,
 *   sum_j p_j (x_j W_v + b_v) = (sum_j p_j x_j) W_v + (sum_j p_j) b_v
 * and, as long as there is neither norm nor RoPE, with u = W_k q,
 *   q . (x_j W_k + b_k) = x_j . u + q . b_k
 * so that a row costs Hq * (2 E N + 4 E D) multiply-adds. Else `keys` has those of the row's range,
 * by oracle_layer_keys(), and a row costs Hq * ((E + D) N + 3 E D); without norm and RoPE it may be
 * null. Returns false if memory ran out. */
bool oracle_layer_row(const OracleLayer *layer, size_t batch, size_t token, const double *keys,
                      double *y);

#endif
