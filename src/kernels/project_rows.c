/* project_rows.c - few rows of activations through a weight matrix, at the speed of the memory.
 *
 *   y[r, c] += sum over i of x[r, i] W[i, c]      one chain of multiply-adds over i
 *
 *              strip of columns
 *        W   i ───────────────────▶   STEP rows of W side by side: STEP streams of reads, while the
 *            i+1 ─────────────────▶   STEP rows behind them are prefetched
 *            ...
 *        copy of y [rows, strip]      stays in L1 over all of i
 *
 * W is [in, out], so one column would be read with a stride of whole rows. A strip is read in runs
 * of one to four KiB instead. y and x are copied into dense scratch, because rows that lie a power
 * of two apart would compete for the same cache sets.
 */
#include "kernels/member.h"

#define STEP 8
/* Floats of the y strip: 4 rows x 1024 columns, 8 x 512 or 16 x 256, each row padded by a line. */
#define STRIP_PAD 16
#define STRIP_FLOATS (KERNEL_PROJECT_ROWS * (256 + STRIP_PAD))

/* One vector of columns: y[0..rows) over `steps` rows of W. x is [steps][rows]. */
KERNEL_INLINE void project_vector(const size_t rows, const size_t steps, const float *x,
                                  const vfloat *w, float *y, size_t y_stride) {
  UNROLL for (size_t r = 0; r < rows; r++) {
    vfloat sum = v_load(y + r * y_stride);
    UNROLL for (size_t i = 0; i < steps; i++) {
      sum = v_fma(v_set1(x[i * rows + r]), w[i], sum);
    }
    v_store(y + r * y_stride, sum);
  }
}

KERNEL_INLINE void project_step(const size_t rows, const size_t steps, size_t columns,
                                const float *x, const float *weight, size_t weight_stride,
                                size_t ahead, float *y, size_t y_stride) {
  for (size_t c = 0; c < columns; c += LANES) {
    vfloat w[STEP];
    for (size_t i = 0; i < ahead && c % STRIP_PAD == 0; i++) {
      __builtin_prefetch(weight + i * weight_stride + c + (rows == 1 ? 512 : steps * weight_stride),
                         0, 2);
    }
    const size_t left = columns - c;
    UNROLL for (size_t i = 0; i < steps; i++) {
      const float *const from = weight + i * weight_stride + c;
      w[i] = left >= LANES ? v_load(from) : v_load_first(left, from);
    }
    project_vector(rows, steps, x, w, y + c, y_stride);
  }
}

/* All of `in` for one strip of columns; the caller has filled its copy of y. */
KERNEL_INLINE void project_strip(size_t rows, size_t in, size_t columns, const float *x,
                                 size_t x_stride, const float *weight, size_t weight_stride,
                                 float *strip, size_t strip_stride) {
  for (size_t i = 0; i < in;) {
    const size_t left = in - i;
    const size_t steps = left >= STEP ? STEP : 1;
    const size_t ahead = left - steps < STEP ? left - steps : STEP;
    const float *const from = weight + i * weight_stride;
    for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
      const size_t here = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
      const size_t fetch = first == 0 ? ahead : 0;
      float *const y = strip + first * strip_stride;
      float block[STEP * BLOCK_ROWS];
      for (size_t s = 0; s < steps; s++) {
        for (size_t r = 0; r < here; r++) block[s * here + r] = x[(first + r) * x_stride + i + s];
      }
#define PROJECT(n)                                                                                 \
  if (steps == STEP) {                                                                             \
    project_step(n, STEP, columns, block, from, weight_stride, fetch, y, strip_stride);            \
  } else {                                                                                         \
    project_step(n, 1, columns, block, from, weight_stride, 0, y, strip_stride);                   \
  }
      FOR_ROWS(here, PROJECT)
#undef PROJECT
    }
    i += steps;
  }
}

void MEMBER(project)(size_t rows, size_t in, size_t columns, const float *x, size_t x_stride,
                     const float *weight, size_t weight_stride, float *y, size_t y_stride) {
  const size_t widest = rows <= 1 ? 4096 : rows <= 4 ? 1024 : rows <= 8 ? 512 : 256;
  float strip[STRIP_FLOATS];
  for (size_t c = 0; c < columns; c += widest) {
    const size_t here = columns - c < widest ? columns - c : widest;
    const size_t stride = widest + STRIP_PAD;
    for (size_t r = 0; r < rows; r++) {
      for (size_t k = 0; k < here; k++) strip[r * stride + k] = y[r * y_stride + c + k];
    }
    project_strip(rows, in, here, x, x_stride, weight + c, weight_stride, strip, stride);
    for (size_t r = 0; r < rows; r++) {
      for (size_t k = 0; k < here; k++) y[r * y_stride + c + k] = strip[r * stride + k];
    }
  }
}
