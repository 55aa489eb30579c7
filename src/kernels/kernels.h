/* kernels.h - the contracts of the kernels, and the table by which they are found.
 *
 * A kernel is pointers and sizes in, numbers out: it allocates nothing, starts no thread and knows
 * no context. Every kernel exists for every ISA, from one body (<family>.c) over the vector
 * vocabulary of that ISA (simd/<isa>.h), so that all of them do the same operations in the same
 * order and differ only in how many lanes they take at once and in how they round a multiply-add.
 *
 * Packed data has one layout for all ISAs, in panels of P = KERNEL_PANEL keys or columns, so that
 * what one context packed another can read:
 *
 *   packed query block  [depth][R]      query rows side by side, scaled; rows beyond the last are
 *                                       not written and not read
 *   packed keys         [panels][depth][P]   P keys side by side, so that vectors run over keys
 *   packed values       [panels][keys][P]    P columns of V, so that vectors run over columns
 *
 * An ISA's register tile (beside its kernels, in simd/<isa>.h) is R = rows query rows by
 * W = tile keys or columns; W divides P.
 *
 * Numbers of 16 bits stand in pairs, two in a uint32_t, the first in the low half. They are bf16
 * (the upper half of a float) or fp16 (IEEE 754 binary16). A float is a sum of up to three bf16
 * numbers, its terms (Henry, Tang and Heinecke 2019):
 *
 *   term 0 = bf16(x)   term 1 = bf16(x - term 0)   term 2 = bf16(x - term 0 - term 1)
 *
 * bf16() rounds to nearest, ties to even. The differences are exact: 1 and 2 terms hold x with a
 * relative error of at most 2^-8 and 2^-17, and 3 terms hold it exactly, as long as no term
 * underflows. NaN stays NaN in term 0; beyond 3.39e38 term 0 is infinite; behind a term 0 that
 * is not finite the others are 0. In fp16 there is one term: 11 significant bits from 2^-14 on,
 * multiples of 2^-24 below, infinity from 65520 on; to nearest and ties to even as well, and NaN
 * stays NaN, however the processor is told to treat denormals. A pair runs along the dimension that
 * a product sums over:
 *
 *   packed pairs of rows     [terms][rows][pairs]            queries, weights of softmax, activations
 *   packed pairs of keys     [terms][panels][pairs][P]       pair i of key j: its elements 2i, 2i+1
 *   packed pairs of values   [terms][panels][pairs][P]       pair i of column c: keys 2i, 2i+1
 *
 * W of a projection is packed as values are: its inputs are the keys.
 *
 * Scores are in the log2 domain: pack_queries gets scale * log2(e), and a weight is exp2(s - m).
 * Pointers to packed data and score buffers are aligned to KERNEL_ALIGNMENT; strides of score, sum
 * and weight rows are multiples of W.
 */
#ifndef ATTEND_SRC_KERNELS_KERNELS_H
#define ATTEND_SRC_KERNELS_KERNELS_H

#include "attend/attend.h"

#define KERNEL_ALIGNMENT 64
/* P, and the bounds of R over all ISAs, for fixed arrays. */
#define KERNEL_MIN_ROWS 4
#define KERNEL_MAX_ROWS 32
#define KERNEL_PANEL 32
/* Packed pairs are padded with zeros to whole steps; `gemm_bf16` adds up whole chains on their
 * own. */
#define KERNEL_STEP 16
#define KERNEL_CHAIN 64
/* Terms of a split float at most, and the order that takes all products that matter. */
#define KERNEL_MAX_TERMS 3
/* Rows that `project` takes at most, whatever the ISA. */
#define KERNEL_PROJECT_ROWS 16

/* pack_keys: one K panel. panel[d*P + j] = key[j*key_stride + d] for j < keys <= P, 0 for
 *   keys <= j < P.
 * pack_values: one V panel of `columns` <= P columns. panel[j*P + c] = value[j*value_stride + c],
 *   0 for columns <= c < P.
 * pack_queries: packed[d*R + r] = scale * query[r][d], r < rows <= R.
 *
 * scores: score[r*score_stride + j] = sum over d < depth, in this order and in one chain of
 *   multiply-adds, of query[d*R + r] * key j, element d, out of packed panels that follow each
 *   other.  r < rows <= R, j < width, a multiple of W.
 *   |error| <= depth * 2^-24 * sum |q k| to first order.
 *
 * adjust: the steps between q.k and the softmax for `keys` scores of one row; see KernelScoreMod.
 *   Whole vectors are read and written back: up to a vector less one float behind the last score.
 *
 * softmax_full, softmax_ragged: one step of the online softmax (Milakov and Gimelshein 2018) on
 *   `width` scores (a multiple of W) of each row:
 *     m' = max(m, max s)   scores := exp2(s - m')   rescale = exp2(m - m')
 *     l  = l * rescale + sum of the new scores      m  = m'
 *   In the ragged member row r sees only the scores first[r] <= j < visible[r] <= width (first
 *   null: from 0 on): the others are not looked at and become 0; a row that sees none keeps m and l
 *   and gets rescale = 1.
 *   A score of -inf has weight 0, also where all of them are -inf. A NaN makes l NaN.
 *   The sum runs over lanes first, then over their total in one fixed order, so that it depends on
 *   the visible scores alone and not on width.
 *
 * weigh: sum[r*sum_stride + c] = rescale[r] * sum[...] + sum over j < keys, in this order and in
 *   one chain, of weights[r*weight_stride + j] * values[c/P*panel_stride + j*P + c%P]. c < width, a
 *   multiple of W. rescale null means 1.
 *
 * unpacked_scores: what pack_keys and scores give for `keys` row-major keys, with the same bits:
 *   score[r*score_stride + j] for j < keys; what it writes behind them,
 *   up to a multiple of W, means nothing (0 where the query is finite).
 * unpacked_sum: what pack_values and weigh give for row-major values of `columns` columns, with the
 *   same bits. Columns of sum beyond `columns`, up to whole lanes, stay 0 if they
 *   were 0. Both read only elements that exist, and prefetch the rows in `ahead`, one for each of
 *   their own.
 *
 * project: y[r*y_stride + c] += sum over i < in, in this order and in one chain, of
 *   x[r*x_stride + i] * weight[i*weight_stride + c].  r < rows <= KERNEL_PROJECT_ROWS, c < columns.
 *   x, weight and y need no alignment beyond that of a float; y does not overlap the others.
 *
 * pack_key_pairs: one panel, one uint32_t for each pair and key: term p at panel + p*term_stride,
 *   pair i of key j at [i*P + j]. Zero for keys <= j < P and from depth on, up to whole steps. In
 *   fp16, here and below, terms is 1.
 * pack_value_pairs: one panel of `columns` <= P columns, pair i of column c at [i*P + c].  Zero for
 *   columns <= c < P and from row `keys` on, up to whole steps.
 * pack_row_pairs: scale * row[r][i] for i < depth as pairs; term p of row r at
 *   pairs + p*term_stride + r*row_stride.  Zero from depth on, up to whole steps.
 * pack_weight_pairs: the weights of softmax, weights[r*weight_stride + j], as pack_row_pairs makes pairs of
 *   them for j < keys with a scale of 1. They are NaN or 0 .. 1; behind a NaN in term 0 the other
 *   terms may be anything, and denormals may become zeros where `gemm_bf16` takes them for zeros.
 * widen: the float panel [2*pairs][P] that a panel of pairs stands for: the sum of its terms, the
 *   last one first. Exact in fp16.
 *
 * multiply: a and b in bf16. c[r*c_stride + j] = rescale[r] * c[...] + sum over i < pairs, and over
 *   terms p of a and q of b with p + q < order, of the two products of pair i of row r and pair i
 *   of column j.
 *   0 < rows <= KERNEL_MAX_ROWS; pairs a multiple of KERNEL_STEP, not 0; j < width, a multiple of
 *   W. a has `order` terms or more. rescale null: c is not read, and the sum is all. Products are
 *   exact. With order 1 an element is one chain of additions that starts from rescale * c. With
 *   order 2 and 3 each KERNEL_CHAIN pairs are summed on their own, and in them the small products
 *   (p + q > 0) before the large ones are added, so that only the large ones round as fp32 does;
 *   these sums are then added to rescale * c one after the other. So cuts between steps (order 1)
 *   or chains (else) do not change a bit.
 *   An ISA's own dot product may round the two products of a pair together, may add up a step
 *   before it adds it to the chain, and may take denormals for zero.
 * release: gives back what `gemm_bf16` keeps in the processor from call to call, which is the
 *   configuration of AMX's tiles and nothing elsewhere. Every thread that has multiplied calls it
 *   before it goes on to code that is not the library's.
 * gemm_mixed: the same with a in fp32, a[r*a_stride + i] for i < depth, and one term b of
 *   either kind: the chain of multiply-adds of `scores` and `weighted_sum` over the widened panel, with
 *   the same bits. rows <= KERNEL_MAX_ROWS.
 *
 * exp2: y = 2^x for x <= 0, the function that softmax uses. Exactly 1 at 0, exactly 0 for
 *   x < -126.5 and -inf, NaN for NaN. Largest error and its witness: docs/numerics.md and
 *   tests/kernels/kernel_exp2.c.
 */
/* The name of a family's member for an ISA. It has the private prefix, so that private_names.h need
 * not list members. */
#define KERNEL_MEMBER(family, isa) attend_private_##family##_##isa

/* Rows that will be read next: rows[j*stride .. + floats). rows null, floats 0: none. */
typedef struct KernelAhead {
  const float *rows;
  size_t stride;
  size_t floats;
} KernelAhead;

/* How `score_mod` changes the scores s of one row, in this order, all in the log2 domain:
 *   s = softcap * tanh(s / softcap)                     if softcap > 0; |error| <= 3e-7 * softcap
 *                                                       and 4 ULP of the result
 *   s = s - slope * |distance - j|                      if slope != 0
 *   s = s + log2(e) * bias[j*bias_stride]               if bias; -inf hides the key
 *   s = -inf where mask[j*mask_stride] is 0             if mask
 * A hidden key's score becomes -inf whatever it was. Reads bias and mask for j < keys only. */
typedef struct KernelScoreMod {
  float softcap;
  float slope;
  float distance; /* the query's position, counted from key 0 of the scores */
  const float *bias;
  const uint8_t *mask;
  size_t bias_stride, mask_stride;
} KernelScoreMod;

/* The numbers that pairs are of. */
typedef enum KernelNumber { KERNEL_BF16, KERNEL_FP16 } KernelNumber;

/* Packed pairs that a kernel reads. */
typedef struct KernelPairs {
  const uint32_t *pairs;
  size_t terms;       /* 1 .. KERNEL_MAX_TERMS; 1 in fp16 */
  size_t term_stride; /* pairs, from term to term */
  size_t stride;      /* pairs, from row to row or from panel to panel */
  KernelNumber number;
} KernelPairs;

typedef struct Kernels {
  AttendIsa isa;
  size_t block_rows;           /* R */
  size_t block_columns;        /* W */
  size_t gemm_bf16_rows;       /* that `gemm_bf16` takes best at once */
  bool gemm_bf16_has_own_unit; /* of the processor, beside the vectors that other kernels use */
  bool has_bf16_dot;           /* products of bf16 by an instruction, which may flush denormals */
#define ATTEND_KERNEL(family, result, arguments) result(*family) arguments;
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
} Kernels;

/* The kernels of an ISA (not AUTO), or null if they are not in this build. Whether the processor
 * can run them is cpu.h's to say. */
const Kernels *kernels_get(AttendIsa isa);

/* Names of the families in the manifest, in its order, ended by null. */
const char *const *kernels_families(void);

#endif
