/* kernel_gemm_mixed.c - checks that `gemm_mixed` gives the bits of `scores` and `weighted_sum` on a
 * widened panel.
 */
#include <math.h>
#include <string.h>

#include "tests/kernels/kernel_pairs.h"

/* Element `element` of a pair of either kind, set to x or its rounding. Random fp16 numbers are
 * those of random bits, denormals among them; only the sign of infinities and NaN is kept. */
static void set_number(KernelNumber number, uint32_t *pair, size_t element, float x) {
  if (number == KERNEL_BF16) {
    double terms[KERNEL_MAX_TERMS];
    terms_of(x, terms);
    set_pair_element(pair, element, terms[0]);
    return;
  }
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits = isnan(x) ? 0x7e00u : (bits >> 8 & 0xffffu) % 0x7c00u | (bits >> 16 & 0x8000u);
  *pair = element ? (*pair & 0xffffu) | bits << 16 : (*pair & 0xffff0000u) | bits;
}

static double number_of(KernelNumber number, uint32_t pair, size_t element) {
  if (number == KERNEL_BF16) return pair_element(pair, element);
  return fp16_number(element ? pair >> 16 : pair & 0xffffu);
}

typedef struct MixedCall {
  size_t rows, depth, width;
  size_t a_stride, c_stride, panel_floats;
  KernelPairs b;
  size_t b_pairs;
  float *a, *before;
  float *panels; /* b widened */
  float rescale[KERNEL_MAX_ROWS];
} MixedCall;

static MixedCall mixed_call_new(const Kernels *kernels, KernelNumber number, size_t rows,
                                size_t depth, size_t width) {
  const size_t panels = (width + KERNEL_PANEL - 1) / KERNEL_PANEL, pairs = (depth + 1) / 2;
  MixedCall call = {.rows = rows, .depth = depth, .width = width};
  call.a_stride =
      (depth + kernels->block_columns) / kernels->block_columns * kernels->block_columns;
  call.c_stride = width + kernels->block_columns;
  call.b = (KernelPairs){NULL, 1, 0, pairs * KERNEL_PANEL, number};
  call.b_pairs = panels * call.b.stride;
  call.panel_floats = 2 * call.b.stride;
  call.a = fenced_new(rows * call.a_stride);
  call.before = new_packed(rows * call.c_stride);
  call.panels = new_packed(panels * call.panel_floats);
  uint32_t *const b = fenced_pairs_new(call.b_pairs);
  call.b.pairs = b;
  for (size_t r = 0; r < rows; r++) {
    call.rescale[r] = 0.25f * (float)(r % 5);
    fill_random(r, 1.0f, call.a + r * call.a_stride, depth);
    fill_random(r + 500, 1.0f, call.before + r * call.c_stride, width);
  }
  for (size_t at = 0; at < 2 * call.b_pairs; at++) {
    float x;
    fill_random(90000 + at, 1.0f, &x, 1);
    set_number(number, b + at / 2, at % 2, x);
  }
  /* The second number of the last pair, where there is none, must not be used. */
  for (size_t at = 0; depth % 2 && at < call.b_pairs; at++)
    if (at % call.b.stride >= call.b.stride - KERNEL_PANEL) set_number(number, b + at, 1, NAN);
  for (size_t at = 0; at < call.b_pairs; at++) {
    float *const panel = call.panels + at / call.b.stride * call.panel_floats;
    const size_t i = at % call.b.stride / KERNEL_PANEL, j = at % KERNEL_PANEL;
    panel[2 * i * KERNEL_PANEL + j] = (float)number_of(number, b[at], 0);
    panel[(2 * i + 1) * KERNEL_PANEL + j] = (float)number_of(number, b[at], 1);
  }
  return call;
}

static void mixed_call_free(MixedCall *call) {
  fenced_free(call->a, call->rows * call->a_stride);
  fenced_pairs_free(call->b.pairs, call->b_pairs);
  guarded_free(call->before, "sums before");
  guarded_free(call->panels, "panels");
}

static void same_rows(const Kernels *kernels, const MixedCall *call, const float *c,
                      const float *expected) {
  for (size_t at = 0; at < call->rows * call->c_stride; at++)
    if (!same_float(c[at], expected[at]))
      fail_kernel(kernels, "sum with other bits", at / call->c_stride, at % call->c_stride,
                  (double)c[at], (double)expected[at]);
}

static float *copy_of_before(const MixedCall *call) {
  const size_t floats = call->rows * call->c_stride;
  float *const c = new_packed(floats);
  memcpy(c, call->before, floats * sizeof *c);
  return c;
}

static void check_against_weighted_sum(const Kernels *kernels, const MixedCall *call) {
  float *const c = copy_of_before(call), *const expected = copy_of_before(call);
  kernels->gemm_mixed(call->rows, call->depth, call->width, call->a, call->a_stride, call->b,
                      call->rescale, c, call->c_stride);
  for (size_t r = 0; r < call->rows; r++)
    kernels->weighted_sum(1, call->depth, call->width, call->a + r * call->a_stride, call->a_stride,
                          call->panels, call->panel_floats, call->rescale + r,
                          expected + r * call->c_stride, call->c_stride);
  same_rows(kernels, call, c, expected);
  guarded_free(c, "sums");
  guarded_free(expected, "sums");
}

/* Without rescale, and c not read. `scores` wants its panels one after the other, of depth rows. */
static void check_against_scores(const Kernels *kernels, const MixedCall *call) {
  const size_t panels = call->b_pairs / call->b.stride, panel = call->depth * KERNEL_PANEL;
  const size_t floats = call->rows * call->c_stride;
  float *const keys = new_packed(panels * panel);
  float *const query = new_packed(call->depth * kernels->block_rows);
  float *const c = new_packed(floats), *const expected = new_packed(floats);
  for (size_t p = 0; p < panels; p++)
    memcpy(keys + p * panel, call->panels + p * call->panel_floats, panel * sizeof *keys);
  kernels->gemm_mixed(call->rows, call->depth, call->width, call->a, call->a_stride, call->b, NULL,
                      c, call->c_stride);
  for (size_t r = 0; r < call->rows; r++) {
    for (size_t d = 0; d < call->depth; d++)
      query[d * kernels->block_rows] = call->a[r * call->a_stride + d];
    kernels->scores(1, call->depth, call->width, query, keys, expected + r * call->c_stride,
                    call->c_stride);
  }
  same_rows(kernels, call, c, expected);
  guarded_free(keys, "keys");
  guarded_free(query, "query");
  guarded_free(c, "sums");
  guarded_free(expected, "sums");
}

void check_gemm_mixed(const Kernels *kernels) {
  static const size_t depths[] = {1, 2, 3, 16, 31, 64, 127, 128};
  for (size_t d = 0; d < COUNT_OF(depths); d++) {
    for (size_t k = 0; k < 2 * KERNEL_MAX_ROWS; k++) {
      const size_t rows = 1 + k / 2, width = kernels->block_columns * (1 + rows % 5);
      const KernelNumber number = k % 2 ? KERNEL_FP16 : KERNEL_BF16;
      MixedCall call = mixed_call_new(kernels, number, rows, depths[d], width);
      check_against_weighted_sum(kernels, &call);
      check_against_scores(kernels, &call);
      mixed_call_free(&call);
    }
  }
}
