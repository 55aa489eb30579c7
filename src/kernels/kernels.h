/* kernels.h - the layouts and types that kernels share, and the table by which they are found.
 *
 * The contract of each kernel stands at its line in kernels.def. A kernel is pointers and sizes in,
 * numbers out: it allocates nothing, starts no thread and knows no context. Every kernel exists for
 * every ISA, from one source (<family>.c) over that ISA's vector vocabulary (simd/<isa>.h). So all
 * ISAs do the same operations in the same order, and differ only in how many lanes they take at
 * once and in how they round a multiply-add.
 *
 * A register block is R = block_rows query rows by W = block_columns keys or columns. R and W are
 * the ISA's own (simd/<isa>.h). Packed data has one layout for all ISAs, in panels of
 * P = KERNEL_PANEL keys or columns, so that a context can read what another one packed. W divides
 * P.
 *
 *   packed query block  [depth][R]           rows side by side; scaled; rows behind the last are
 *                                            not written and not read
 *   packed keys         [panels][depth][P]   P keys side by side: vectors run over keys
 *   packed values       [panels][keys][P]    P columns side by side: vectors run over columns
 *
 *               P = 32 keys                              P = 32 columns
 *            ┌───────────────┐                        ┌───────────────┐
 *     d = 0  │ key 0 .. 31   │                 key 0  │ column 0 .. 31│
 *     d = 1  │ key 0 .. 31   │                 key 1  │ column 0 .. 31│
 *       ...  │               │                   ...  │               │
 *            └───────────────┘                        └───────────────┘
 *            a panel of keys; the                     a panel of values; the next
 *            next holds keys 32 .. 63                 holds columns 32 .. 63
 *
 * Numbers of 16 bits stand in pairs, two in a uint32_t, the first in the low half. They are bf16
 * (the upper half of a float) or fp16 (IEEE 754 binary16). A float is a sum of up to three bf16
 * numbers, its terms (Henry, Tang and Heinecke 2019):
 *
 *   term 0 = bf16(x)   term 1 = bf16(x - term 0)   term 2 = bf16(x - term 0 - term 1)
 *
 * bf16() rounds to nearest, ties to even, and the differences are exact. As long as no term
 * underflows, 1 and 2 terms hold x with a relative error of at most 2^-8 and 2^-17, and 3 terms
 * hold it exactly. NaN stays NaN in term 0. Beyond 3.39e38 term 0 is infinite. If term 0 is not
 * finite, the others are 0.
 *
 * fp16 has one term: 11 significant bits from 2^-14 on, multiples of 2^-24 below, infinity from
 * 65520 on. It rounds to nearest, ties to even, and NaN stays NaN, however the processor is told to
 * treat denormals.
 *
 * A pair runs along the dimension that a product sums over. The weights of a projection are packed
 * like values, with inputs in place of keys.
 *
 *   packed pairs of rows     [terms][rows][pairs]        queries, weights of softmax, activations
 *   packed pairs of keys     [terms][panels][pairs][P]   pair i of key j: its elements 2i, 2i + 1
 *   packed pairs of values   [terms][panels][pairs][P]   pair i of column c: keys 2i, 2i + 1
 *
 * Scores are in the log2 domain: pack_queries gets scale * log2(e), and a weight is exp2(s - m).
 * Pointers to packed data and score buffers are aligned to KERNEL_ALIGNMENT bytes; strides of
 * score, sum and weight rows are multiples of W. Sizes and strides count elements.
 */
#ifndef ATTEND_SRC_KERNELS_KERNELS_H
#define ATTEND_SRC_KERNELS_KERNELS_H

#include "attend/attend.h"

#define KERNEL_ALIGNMENT 64
/* P, and the bounds of R over all ISAs, for fixed arrays. */
#define KERNEL_MIN_ROWS 4
#define KERNEL_MAX_ROWS 32
#define KERNEL_PANEL 32
/* Pairs. Packed pairs are padded with zeros to whole steps; with several terms `gemm_bf16` sums
 * each chain on its own. */
#define KERNEL_STEP 16
#define KERNEL_CHAIN 64
/* The most bf16 terms that a float has. With so many, every product that matters in fp32 is
 * computed. */
#define KERNEL_MAX_TERMS 3
/* Rows that `project` takes at most, whatever the ISA. */
#define KERNEL_PROJECT_ROWS 16

/* The name of a family's member for an ISA. It has the private prefix, so that private_names.h need
 * not list members. */
#define KERNEL_MEMBER(family, isa) attend_private_##family##_##isa

/* KERNEL_IF_<machine>(...), by the machines of isas.def: the argument where kernels for such
 * processors are in this build, else nothing. */
#define KERNEL_IF_ANY(...) __VA_ARGS__
#if defined(__x86_64__)
#  define KERNEL_IF_X86_64(...) __VA_ARGS__
#else
#  define KERNEL_IF_X86_64(...)
#endif

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

/* The types of packed numbers. Pairs are of the first two. */
#define KERNEL_NUMBERS(X) X(BF16, "bf16") X(FP16, "fp16") X(FP32, "fp32")
#define KERNEL_DECLARE_NUMBER(name, text) KERNEL_##name,
typedef enum KernelNumber { KERNEL_NUMBERS(KERNEL_DECLARE_NUMBER) } KernelNumber;
#undef KERNEL_DECLARE_NUMBER

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
