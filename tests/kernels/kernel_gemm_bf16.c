/* kernel_gemm_bf16.c - checks `gemm_bf16` against sums in double, and what its contract says of
 * bits. */
#include "tests/kernels/kernel_gemm_bf16.h"

#include <math.h>
#include <string.h>

/* An element's exact value, and what bounds its rounding: the sums of the magnitudes of all
 * products, and of the small ones. */
typedef struct Exact {
  double sum, size, small;
} Exact;

static void add_products(const GemmCall *call, size_t r, size_t j, size_t p, size_t q,
                         Exact *exact) {
  for (size_t i = 0; i < call->pairs; i++) {
    const uint32_t row = *pair_of_row(call, p, r, i), column = *pair_of_column(call, q, j, i);
    for (size_t element = 0; element < 2; element++) {
      const double product = pair_element(row, element) * pair_element(column, element);
      exact->sum += product;
      exact->size += fabs(product);
      if (p + q > 0) exact->small += fabs(product);
    }
  }
}

static Exact exact_sum(const GemmCall *call, size_t r, size_t j, bool rescaled) {
  Exact exact = {0};
  if (rescaled) {
    exact.sum = (double)call->rescale[r] * (double)call->before[r * call->c_stride + j];
    exact.size = fabs(exact.sum);
  }
  for (size_t p = 0; p < call->a.terms; p++)
    for (size_t q = 0; q < call->b.terms && p + q < call->bf16_terms; q++)
      add_products(call, r, j, p, q, &exact);
  return exact;
}

/* Every addition rounds at most what has been summed so far. In one chain, and in the large
 * products of a chain of KERNEL_CHAIN pairs, that is everything; the small products before them, of
 * which there are up to five for each large one, round among themselves; chains round once more
 * each. */
static double allowed_error(const GemmCall *call, const Exact *exact) {
  const double pairs = (double)call->pairs;
  if (call->bf16_terms == 1) return (2.0 * pairs + 2.0) * FLOAT_UNIT * exact->size;
  const double chain = 2.0 * fmin(pairs, KERNEL_CHAIN), chains = ceil(pairs / KERNEL_CHAIN);
  return FLOAT_UNIT * ((chain + chains + 2.0) * exact->size + 5.0 * chain * exact->small);
}

static void compare_sums(const Kernels *kernels, const GemmCall *call, bool rescaled,
                         const float *c) {
  for (size_t at = 0; at < call->c_floats; at++) {
    const size_t r = at / call->c_stride, j = at % call->c_stride;
    if (r < call->rows && j < call->width) {
      const Exact exact = exact_sum(call, r, j, rescaled);
      if (!is_close((double)c[at], exact.sum, allowed_error(call, &exact)))
        fail_kernel(kernels, "sum", r, j, (double)c[at], exact.sum);
    } else if (rescaled ? !same_float(c[at], call->before[at]) : !is_untouched(c + at)) {
      fail_kernel(kernels, "a gap", r, j, (double)c[at], (double)call->before[at]);
    }
  }
}

static void same_sums(const Kernels *kernels, const GemmCall *call, size_t first, size_t rows,
                      const float *c, const float *all) {
  for (size_t r = first; r < first + rows; r++)
    for (size_t j = 0; j < call->width; j++) {
      const size_t at = r * call->c_stride + j;
      if (!same_float(c[at], all[at]))
        fail_kernel(kernels, "sum with other bits", r, j, (double)c[at], (double)all[at]);
    }
}

static void check_values(const Kernels *kernels, size_t rows, size_t pairs, size_t width,
                         size_t bf16_terms, size_t a_terms, size_t b_terms) {
  GemmCall call = gemm_call_new(rows, pairs, width, bf16_terms, a_terms, b_terms);
  for (int rescaled = 0; rescaled < 2; rescaled++) {
    float *const c = gemm_call_run(kernels, &call, rescaled);
    compare_sums(kernels, &call, rescaled, c);
    guarded_free(c, "sums");
  }
  gemm_call_free(&call);
}

/* A row has the bits that it has among all others, whatever their number and wherever it stands. */
static void check_rows(const Kernels *kernels, size_t bf16_terms) {
  const size_t pairs = KERNEL_CHAIN + KERNEL_STEP, width = KERNEL_PANEL + kernels->block_columns;
  GemmCall all = gemm_call_new(KERNEL_MAX_ROWS, pairs, width, bf16_terms, 3, 3);
  float *const expected = gemm_call_run(kernels, &all, true);
  for (size_t rows = 1; rows < KERNEL_MAX_ROWS; rows++) {
    GemmCall call = gemm_call_new(rows, pairs, width, bf16_terms, 3, 3);
    float *const c = gemm_call_run(kernels, &call, true);
    same_sums(kernels, &call, 0, rows, c, expected);
    compare_sums(kernels, &call, true, c);
    guarded_free(c, "sums");
    gemm_call_free(&call);
  }
  for (size_t r = 0; r < KERNEL_MAX_ROWS; r++) {
    float *const c = new_packed(all.c_floats);
    memcpy(c, all.before, all.c_floats * sizeof *c);
    const KernelPairs row = {pair_of_row(&all, 0, r, 0), 3, all.a.term_stride, all.a.stride,
                             KERNEL_BF16};
    kernels->gemm_bf16(1, pairs, width, bf16_terms, row, all.b, all.rescale + r,
                       c + r * all.c_stride, all.c_stride);
    same_sums(kernels, &all, r, 1, c, expected);
    guarded_free(c, "sums");
  }
  guarded_free(expected, "sums");
  gemm_call_free(&all);
}

static void check_cut(const Kernels *kernels, const GemmCall *call, size_t cut,
                      const float *whole) {
  static const float ones[KERNEL_MAX_ROWS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  float *const c = new_packed(call->c_floats);
  memcpy(c, call->before, call->c_floats * sizeof *c);
  KernelPairs a = call->a, b = call->b;
  kernels->gemm_bf16(call->rows, cut, call->width, call->bf16_terms, a, b, call->rescale, c,
                     call->c_stride);
  a.pairs = pair_of_row(call, 0, 0, cut);
  b.pairs = pair_of_column(call, 0, 0, cut);
  kernels->gemm_bf16(call->rows, call->pairs - cut, call->width, call->bf16_terms, a, b, ones, c,
                     call->c_stride);
  same_sums(kernels, call, 0, call->rows, c, whole);
  guarded_free(c, "sums");
}

/* A call that is cut between steps, or between chains if there are several terms, gives the same
 * bits. */
static void check_cuts(const Kernels *kernels, size_t rows, size_t bf16_terms) {
  const size_t pairs = 2 * KERNEL_CHAIN + KERNEL_STEP;
  const size_t step = bf16_terms == 1 ? KERNEL_STEP : KERNEL_CHAIN;
  GemmCall call = gemm_call_new(rows, pairs, KERNEL_PANEL, bf16_terms, 3, 3);
  float *const whole = gemm_call_run(kernels, &call, true);
  for (size_t cut = step; cut < pairs; cut += step) check_cut(kernels, &call, cut, whole);
  guarded_free(whole, "sums");
  gemm_call_free(&call);
}

/* Zeroes all numbers of a call with equally many terms on both sides. */
static void clear_pairs(const GemmCall *call) {
  for (size_t p = 0; p < call->a.terms; p++) {
    for (size_t i = 0; i < call->pairs; i++) {
      for (size_t r = 0; r < call->rows; r++) *pair_of_row(call, p, r, i) = 0;
      for (size_t j = 0; j < call->width; j++) *pair_of_column(call, p, j, i) = 0;
    }
  }
}

/* One large product 1, at the front, and small ones of 2^-26, each too small to change it: they do
 * count together, because they come first. And a chain of products of 2^-25 counts beside c = 1,
 * because it is summed on its own. */
static void check_small_first(const Kernels *kernels, size_t bf16_terms) {
  GemmCall call = gemm_call_new(1, KERNEL_CHAIN, KERNEL_PANEL, bf16_terms, bf16_terms, bf16_terms);
  clear_pairs(&call);
  for (size_t i = 1; i < 2 * KERNEL_CHAIN; i++) {
    set_pair_element(pair_of_row(&call, 1, 0, i / 2), i % 2, 0x1p-13);
    set_pair_element(pair_of_column(&call, 0, 1, i / 2), i % 2, 0x1p-13);
  }
  set_pair_element(pair_of_row(&call, 0, 0, 0), 0, 1.0);
  for (size_t j = 0; j < call.width; j++) set_pair_element(pair_of_column(&call, 0, j, 0), 0, 1.0);
  float *c = gemm_call_run(kernels, &call, false);
  if (c[0] != 1.0f) fail_kernel(kernels, "large product", 0, 0, (double)c[0], 1.0);
  if (c[1] != 1.0f + 0x1p-19f)
    fail_kernel(kernels, "small products first", 0, 1, (double)c[1], 1.0 + 0x1p-19);
  guarded_free(c, "sums");

  clear_pairs(&call);
  for (size_t i = 0; i < 2 * KERNEL_CHAIN; i++) {
    set_pair_element(pair_of_row(&call, 0, 0, i / 2), i % 2, 0x1p-5);
    set_pair_element(pair_of_column(&call, 0, 2, i / 2), i % 2, 0x1p-20);
  }
  call.rescale[0] = 1.0f;
  for (size_t j = 0; j < call.width; j++) call.before[j] = 1.0f;
  c = gemm_call_run(kernels, &call, true);
  if (c[1] != 1.0f) fail_kernel(kernels, "c", 0, 1, (double)c[1], 1.0);
  if (c[2] != 1.0f + 0x1p-18f)
    fail_kernel(kernels, "a chain on its own", 0, 2, (double)c[2], 1.0 + 0x1p-18);
  guarded_free(c, "sums");
  gemm_call_free(&call);
}

/* NaN or an infinity in a row, or in a column, reaches all of it and nothing else. */
static void check_poison(const Kernels *kernels, size_t bf16_terms) {
  static const double poisons[] = {NAN, INFINITY};
  const size_t rows = 19, width = KERNEL_PANEL;
  for (size_t at = 0; at < rows + width; at++) {
    GemmCall call = gemm_call_new(rows, KERNEL_STEP, width, bf16_terms, bf16_terms, bf16_terms);
    float *const clean = gemm_call_run(kernels, &call, false);
    const size_t i = at % KERNEL_STEP, j = at - rows;
    set_pair_element(at < rows ? pair_of_row(&call, 0, at, i) : pair_of_column(&call, 0, j, i),
                     at % 2, poisons[at / 2 % COUNT_OF(poisons)]);
    float *const c = gemm_call_run(kernels, &call, false);
    for (size_t r = 0; r < rows; r++) {
      for (size_t k = 0; k < width; k++) {
        float *const sum = c + r * call.c_stride + k;
        if (at < rows ? r != at : k != j) continue;
        if (isfinite(*sum)) fail_kernel(kernels, "poisoned sum", r, k, (double)*sum, NAN);
        *sum = clean[r * call.c_stride + k];
      }
    }
    same_sums(kernels, &call, 0, rows, c, clean);
    guarded_free(c, "sums");
    guarded_free(clean, "sums");
    gemm_call_free(&call);
  }
}

/* Products that are large, small, and denormal; the denormal ones may be taken for zero. */
static void check_range(const Kernels *kernels, size_t bf16_terms) {
  static const double factors[] = {0x1p63, 0x1p-30, 0x1p-63, 0x1p-100, 0x1p-130};
  for (size_t f = 0; f < COUNT_OF(factors); f++) {
    GemmCall call = gemm_call_new(3, KERNEL_STEP, KERNEL_PANEL, bf16_terms, bf16_terms, bf16_terms);
    clear_pairs(&call);
    const double x = factors[f];
    for (size_t j = 0; j < call.width; j++)
      *pair_of_column(&call, 0, j, 5) = 0x3f803f80u; /* 1, 1 */
    for (size_t r = 0; r < call.rows; r++) set_pair_element(pair_of_row(&call, 0, r, 5), 1, x);
    float *const c = gemm_call_run(kernels, &call, false);
    for (size_t r = 0; r < call.rows; r++) {
      const float sum = c[r * call.c_stride + r];
      if ((double)sum != x && !(sum == 0.0f && x < 0x1p-126))
        fail_kernel(kernels, "one number", r, r, (double)sum, x);
    }
    guarded_free(c, "sums");
    gemm_call_free(&call);
  }
}

/* release may come at any time and changes no sum. */
void check_release(const Kernels *kernels) {
  GemmCall call = gemm_call_new(17, 3 * KERNEL_STEP, KERNEL_PANEL, 1, 1, 1);
  kernels->release();
  float *const first = gemm_call_run(kernels, &call, true);
  kernels->release();
  kernels->release();
  float *const again = gemm_call_run(kernels, &call, true);
  kernels->release();
  compare_sums(kernels, &call, true, first);
  same_sums(kernels, &call, 0, call.rows, again, first);
  guarded_free(first, "sums");
  guarded_free(again, "sums");
  gemm_call_free(&call);
}

void check_gemm_bf16(const Kernels *kernels) {
  static const size_t counts[] = {KERNEL_STEP, 3 * KERNEL_STEP, KERNEL_CHAIN,
                                  KERNEL_CHAIN + KERNEL_STEP, 2 * KERNEL_CHAIN};
  for (size_t bf16_terms = 1; bf16_terms <= KERNEL_MAX_TERMS; bf16_terms++) {
    for (size_t p = bf16_terms; p <= KERNEL_MAX_TERMS; p++)
      for (size_t q = 1; q <= KERNEL_MAX_TERMS; q++)
        check_values(kernels, 5 + 6 * p, KERNEL_CHAIN + KERNEL_STEP, KERNEL_PANEL, bf16_terms, p,
                     q);
    for (size_t k = 0; k < COUNT_OF(counts); k++)
      for (size_t width = kernels->block_columns; width <= 2 * KERNEL_PANEL;
           width += kernels->block_columns)
        check_values(kernels, 17, counts[k], width, bf16_terms, bf16_terms, bf16_terms);
    check_rows(kernels, bf16_terms);
    check_poison(kernels, bf16_terms);
    check_range(kernels, bf16_terms);
  }
  for (size_t bf16_terms = 1; bf16_terms <= KERNEL_MAX_TERMS; bf16_terms++)
    for (size_t rows = 1; rows <= KERNEL_MAX_ROWS; rows += 31)
      check_cuts(kernels, rows, bf16_terms);
  for (size_t bf16_terms = 2; bf16_terms <= KERNEL_MAX_TERMS; bf16_terms++)
    check_small_first(kernels, bf16_terms);
}
