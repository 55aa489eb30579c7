/* kernel_gemm_bf16_call.c - owns the operands of a call of `gemm_bf16`. */
#include <string.h>

#include "tests/kernels/kernel_gemm_bf16.h"

uint32_t *pair_of_row(const GemmCall *call, size_t term, size_t r, size_t i) {
  return (uint32_t *)(uintptr_t)call->a.pairs + term * call->a.term_stride + r * call->a.stride + i;
}

uint32_t *pair_of_column(const GemmCall *call, size_t term, size_t j, size_t i) {
  return (uint32_t *)(uintptr_t)call->b.pairs + term * call->b.term_stride +
         j / KERNEL_PANEL * call->b.stride + i * KERNEL_PANEL + j % KERNEL_PANEL;
}

/* Writes the terms of x with `pair_at`, those from bf16_terms on as NaN. */
static void store_number(const GemmCall *call, const KernelPairs *to,
                         uint32_t *(*pair_at)(const GemmCall *, size_t, size_t, size_t),
                         size_t line, size_t element, float x) {
  double terms[KERNEL_MAX_TERMS];
  terms_of(x, terms);
  for (size_t p = 0; p < to->terms; p++)
    set_pair_element(pair_at(call, p, line, element / 2), element % 2,
                     p < call->bf16_terms ? terms[p] : (double)untouched_float());
}

GemmCall gemm_call_new(size_t rows, size_t pairs, size_t width, size_t bf16_terms, size_t a_terms,
                       size_t b_terms) {
  const size_t panels = (width + KERNEL_PANEL - 1) / KERNEL_PANEL;
  const size_t a_stride = pairs + KERNEL_STEP, panel = pairs * KERNEL_PANEL;
  const size_t b_stride = panel + KERNEL_PANEL;
  GemmCall call = {.rows = rows, .pairs = pairs, .width = width, .bf16_terms = bf16_terms};
  call.a = (KernelPairs){NULL, a_terms, rows * a_stride + KERNEL_STEP, a_stride, KERNEL_BF16};
  call.b = (KernelPairs){NULL, b_terms, panels * b_stride, b_stride, KERNEL_BF16};
  call.a_pairs = (a_terms - 1) * call.a.term_stride + (rows - 1) * a_stride + pairs;
  call.b_pairs = (b_terms - 1) * call.b.term_stride + (panels - 1) * b_stride + panel;
  call.a.pairs = fenced_pairs_new(call.a_pairs);
  call.b.pairs = fenced_pairs_new(call.b_pairs);
  call.c_stride = width + KERNEL_PANEL;
  call.c_floats = KERNEL_MAX_ROWS * call.c_stride;
  call.before = new_packed(call.c_floats);
  for (size_t r = 0; r < rows; r++) {
    call.rescale[r] = 0.25f * (float)(r % 5);
    fill_random(700 + r, 1.0f, call.before + r * call.c_stride, width);
    for (size_t i = 0; i < 2 * pairs; i++) {
      float x;
      fill_random(r * 8191 + i, 1.0f, &x, 1);
      store_number(&call, &call.a, pair_of_row, r, i, x);
    }
  }
  for (size_t j = 0; j < panels * KERNEL_PANEL; j++) {
    for (size_t i = 0; i < 2 * pairs; i++) {
      float x;
      fill_random((1 << 20) + j * 8191 + i, 1.0f, &x, 1);
      store_number(&call, &call.b, pair_of_column, j, i, x);
    }
  }
  return call;
}

void gemm_call_free(GemmCall *call) {
  fenced_pairs_free(call->a.pairs, call->a_pairs);
  fenced_pairs_free(call->b.pairs, call->b_pairs);
  guarded_free(call->before, "sums before");
}

float *gemm_call_run(const Kernels *kernels, const GemmCall *call, bool rescaled) {
  float *const c = new_packed(call->c_floats);
  if (rescaled) memcpy(c, call->before, call->c_floats * sizeof *c);
  kernels->gemm_bf16(call->rows, call->pairs, call->width, call->bf16_terms, call->a, call->b,
                     rescaled ? call->rescale : NULL, c, call->c_stride);
  return c;
}
