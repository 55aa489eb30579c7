/* kernel_cases.h - the sizes at which each kernel family is timed.
 *
 * A case is one call, or a loop over the panels of one tile, as the tiled path makes it: a register
 * block of all R rows (of `gemm_bf16`: as many as it takes best) against a tile of KERNEL_KEYS keys
 * at D = Dv = 64 and 128, and projections of a LLaMA-7B layer. FLOPs of products of terms are those
 * of the product that they stand for. Kernels whose operands were packed just before find them in
 * cache. Kernels that stream (packing, unpacked, project, read) read memory that no cache holds, a
 * new piece on each call.
 */
#ifndef ATTEND_BENCH_KERNEL_CASES_H
#define ATTEND_BENCH_KERNEL_CASES_H

#include "kernels/kernels.h"

#define KERNEL_KEYS 128  /* of a tile */
#define KERNEL_DEPTH 128 /* D and Dv at most */
#define KERNEL_IN 4096
#define KERNEL_OUT 12288

/* FLOPs that an exponential counts as: a polynomial of degree 6 in multiply-adds, and five more
 * operations for the reduction of the range. */
#define KERNEL_EXP2_FLOPS 17

/* What one call has to do: FLOPs on visible pairs, and bytes that it reads from memory. */
typedef struct KernelWork {
  double flops, bytes;
} KernelWork;

/* The operands that stay in cache. Panels are padded to the widest of any ISA. */
typedef struct KernelNear {
  _Alignas(KERNEL_ALIGNMENT) float query[KERNEL_DEPTH * KERNEL_MAX_ROWS];
  _Alignas(KERNEL_ALIGNMENT) float keys[(KERNEL_KEYS + KERNEL_PANEL) * KERNEL_DEPTH];
  _Alignas(KERNEL_ALIGNMENT) float values[(KERNEL_DEPTH + KERNEL_PANEL) * KERNEL_KEYS];
  _Alignas(KERNEL_ALIGNMENT) float scores[KERNEL_MAX_ROWS * (KERNEL_KEYS + KERNEL_PANEL)];
  _Alignas(KERNEL_ALIGNMENT) float sums[KERNEL_MAX_ROWS * (KERNEL_DEPTH + KERNEL_PANEL)];
  _Alignas(KERNEL_ALIGNMENT) float row_max[KERNEL_MAX_ROWS];
  _Alignas(KERNEL_ALIGNMENT) float row_sum[KERNEL_MAX_ROWS];
  _Alignas(KERNEL_ALIGNMENT) float rescale[KERNEL_MAX_ROWS];
  _Alignas(KERNEL_ALIGNMENT) uint32_t row_pairs[KERNEL_MAX_TERMS * KERNEL_MAX_ROWS * KERNEL_IN / 2];
  _Alignas(KERNEL_ALIGNMENT) uint32_t pairs[KERNEL_MAX_TERMS * KERNEL_KEYS * KERNEL_DEPTH / 2];
  _Alignas(KERNEL_ALIGNMENT) float x[KERNEL_PROJECT_ROWS * KERNEL_IN];
  _Alignas(KERNEL_ALIGNMENT) float y[KERNEL_PROJECT_ROWS * KERNEL_OUT];
} KernelNear;

typedef struct KernelData {
  KernelNear *near;
  float *far;
  size_t far_floats;
  size_t used; /* floats of `far` that calls have read since its beginning */
} KernelData;

/* Allocates and fills the operands; far is as large as a read yardstick of `seconds` wants it, and
 * at least two pieces of the largest case. False if memory is missing; *data is then zero. */
bool kernel_data_open(size_t cache_bytes, double seconds, KernelData *data);
void kernel_data_close(KernelData *data);

typedef struct KernelCase {
  const char *family;
  const char *size; /* for people: "R rows, D 64" */
  KernelWork (*call)(const struct KernelCase *self, const Kernels *kernels, KernelData *data);
  size_t depth;        /* D or Dv */
  size_t rows;         /* 0: all R */
  size_t terms;        /* of pairs, also of the products of `gemm_bf16` */
  KernelNumber number; /* what pairs are of, in families that take both */
  size_t streams;      /* of read */
} KernelCase;

/* What is timed: the families of the library's manifest in its order, then the yardsticks; null
 * behind the last. */
const char *timed_family_at(size_t index);

/* The cases, those of a family side by side: index 0 .. kernel_case_count() - 1. A timed family
 * without a case fails the tests and shows as a row without figures. */
size_t kernel_case_count(void);
const KernelCase *kernel_case_at(size_t index);

#endif
