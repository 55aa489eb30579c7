/* kernels.h - the contracts of the kernels, and the table by which they are found.
 *
 * A kernel is pointers and sizes in, numbers out: it allocates nothing, starts no thread and knows
 * no context. Every kernel exists for every ISA, from one body (<family>_body.h) over the vector
 * vocabulary of that ISA (simd_<isa>.h), so that all of them do the same operations in the same
 * order and differ only in how many lanes they take at once and in how they round a multiply-add.
 *
 * Two numbers of an ISA shape all data (beside its kernels, in simd_<isa>.h):
 *   R = rows    query rows of a register tile
 *   W = panel   keys (of K) or columns (of V) of a panel: vectors of a register tile x lanes
 *
 *   packed query block  [depth][R]      query rows side by side, scaled; rows beyond the last are
 *                                       not written and not read
 *   packed keys         [panels][depth][W]   W keys side by side, so that vectors run over keys
 *   packed values       [panels][keys][W]    W columns of V, so that vectors run over columns
 *
 * Scores are in the log2 domain: pack_queries gets scale * log2(e), and a weight is exp2(s - m).
 * Pointers to packed data and score buffers are aligned to KERNEL_ALIGNMENT; strides of score, sum
 * and weight rows are multiples of W.
 */
#ifndef ATTEND_SRC_KERNELS_KERNELS_H
#define ATTEND_SRC_KERNELS_KERNELS_H

#include "attend/attend.h"

#define KERNEL_ALIGNMENT 64
/* Upper bounds of R and W over all ISAs, for fixed arrays. */
#define KERNEL_MAX_ROWS 12
#define KERNEL_MAX_PANEL 32
/* Rows that `project` takes at most, whatever the ISA. */
#define KERNEL_PROJECT_ROWS 16

/* pack_keys: one K panel. panel[d*W + j] = key[j*key_stride + d] for j < keys <= W, 0 for
 *   keys <= j < W.
 * pack_values: one V panel of `columns` <= W columns. panel[j*W + c] = value[j*value_stride + c],
 *   0 for columns <= c < W.
 * pack_queries: packed[d*R + r] = scale * query[r][d], r < rows <= R.
 *
 * scores: score[r*score_stride + p*W + j] = sum over d < depth, in this order and in one chain of
 *   multiply-adds, of query[d*R + r] * keys[p*depth*W + d*W + j].  r < rows <= R, p < panels.
 *   |error| <= depth * 2^-24 * sum |q k| to first order.
 *
 * softmax_full, softmax_ragged: one step of the online softmax (Milakov and Gimelshein 2018) on
 *   `width` scores (a multiple of W) of each row:
 *     m' = max(m, max s)   scores := exp2(s - m')   rescale = exp2(m - m')
 *     l  = l * rescale + sum of the new scores      m  = m'
 *   In the ragged member row r sees only its first visible[r] <= width scores: the others are not
 *   looked at and become 0; a row that sees none keeps m and l and gets rescale = 1.
 *   A score of -inf has weight 0, also where all of them are -inf. A NaN makes l NaN.
 *   The sum runs over lanes first, then over their total in one fixed order, so that it depends on
 *   the visible scores alone and not on width.
 *
 * weigh: sum[r*sum_stride + p*W + c] = rescale[r] * sum[...] + sum over j < keys, in this order and
 *   in one chain, of weights[r*weight_stride + j] * values[p*panel_stride + j*W + c].
 *   rescale null means 1.
 *
 * direct_scores: what pack_keys and scores give for `keys` row-major keys, with the same bits:
 *   score[r*score_stride + j] for j < keys; what it writes behind them,
 *   up to whole panels, means nothing (0 where the query is finite).
 * direct_weigh: what pack_values and weigh give for row-major values of `columns` columns, with the
 *   same bits. Columns of sum beyond `columns`, up to whole lanes, stay 0 if they
 *   were 0. Both read only elements that exist, and prefetch the rows in `ahead`, one for each of
 *   their own.
 *
 * project: y[r*y_stride + c] += sum over i < in, in this order and in one chain, of
 *   x[r*x_stride + i] * weight[i*weight_stride + c].  r < rows <= KERNEL_PROJECT_ROWS, c < columns.
 *   x, weight and y need no alignment beyond that of a float; y does not overlap the others.
 *
 * exp2: y = 2^x for x <= 0, the function that softmax uses. Exactly 1 at 0, exactly 0 for
 *   x < -126.5 and -inf, NaN for NaN. Largest error and its witness: docs/numerics.md and
 *   tests/kernel_exp2.c.
 *
 * peak: `rounds` rounds of independent multiply-adds in registers; returns the FLOPs done and
 *   leaves something in *sink that depends on all of them.
 * read: sums `count` floats as `streams` (1, 2, 4 or 8) equal contiguous parts read side by side;
 *   what does not divide evenly is left out. Returns the sum.
 */
/* Rows that will be read next: rows[j*stride .. + floats). rows null, floats 0: none. */
typedef struct KernelAhead {
  const float *rows;
  size_t stride;
  size_t floats;
} KernelAhead;

typedef struct Kernels {
  AttendIsa isa;
  size_t rows;  /* R */
  size_t panel; /* W */
#define ATTEND_KERNEL(family, result, arguments) result(*family) arguments;
#include "kernels.def"
#undef ATTEND_KERNEL
} Kernels;

/* The kernels of an ISA (not AUTO), or null if they are not in this build. Whether the processor
 * can run them is cpu.h's to say. */
const Kernels *kernels_get(AttendIsa isa);

/* Names of the families in the manifest, in its order, ended by null. */
const char *const *kernels_families(void);

#endif
