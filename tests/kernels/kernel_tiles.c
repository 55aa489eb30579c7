/* kernel_tiles.c - checks AMX's `gemm_bf16` on emulated tiles, on any machine, the
 * emulated tiles against the manual, and both against the tiles of a processor that has some.
 */
#include <math.h>

#include "tests/emulator/emulated_kernels.h"
#include "tests/emulator/emulated_tiles.h"
#include "tests/kernels/kernel_gemm_bf16.h"

static void gemm_and_look(size_t rows, size_t pairs, size_t width, size_t bf16_terms, KernelPairs a,
                          KernelPairs b, const float *rescale, float *c, size_t c_stride) {
  EMULATED(gemm_bf16)(rows, pairs, width, bf16_terms, a, b, rescale, c, c_stride);
  if (emulated_threads_configured() != 1)
    fail_msg("the next call will not find its tiles configured");
}

static void release_and_look(void) {
  EMULATED(release)();
  if (emulated_threads_configured() != 0) fail_msg("the tiles are still configured after release");
}

static Kernels watched_kernels(void) {
  Kernels kernels = emulated_kernels(kernels_get(ATTEND_ISA_SCALAR));
  kernels.isa = ATTEND_ISA_AMX; /* in messages */
  kernels.gemm_bf16 = gemm_and_look;
  kernels.release = release_and_look;
  return kernels;
}

void check_emulated_tiles(void) {
  const Kernels kernels = watched_kernels();
  check_gemm_bf16(&kernels);
  check_release(&kernels);
}

/* Random bits of finite numbers, whose exponents are at most `most`. */
static uint32_t random_pair(uint32_t seed, uint32_t most) {
  const uint32_t bits = seed * 2654435761u;
  const uint32_t first = (bits >> 3) % (most + 1), second = (bits >> 13) % (most + 1);
  return (bits & 0x807f807fu) | first << 7 | second << 23;
}

/* Rows of such numbers, with larger exponents further down, so that sums range from denormal to
 * overflowing. */
static void spread_rows(const GemmCall *call) {
  for (size_t p = 0; p < call->a.terms; p++)
    for (size_t r = 0; r < call->rows; r++)
      for (size_t i = 0; i < call->pairs; i++)
        *pair_of_row(call, p, r, i) = random_pair((uint32_t)((p * 64 + r) * 4099 + i),
                                                  (uint32_t)(254 * (r + 1) / call->rows));
}

/* Columns of them too, of any size. */
static void spread_columns(const GemmCall *call) {
  for (size_t j = 0; j < call->width; j++)
    for (size_t i = 0; i < call->pairs; i++)
      *pair_of_column(call, 0, j, i) = random_pair((uint32_t)(j * 4099 + i + (1u << 20)), 254);
}

/* ---- TDPBF16PS by its definition, number by number ---- */

/* Denormals become zeros of their sign. */
static float flushed(float x) {
  return fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

static float element(uint32_t pair, size_t which) {
  return flushed((float)pair_element(pair, which));
}

/* The sum of row r and column j after steps of pairs from `sum` on. */
static float defined_sum(const GemmCall *call, size_t r, size_t j, float sum) {
  for (size_t from = 0; from < call->pairs; from += KERNEL_STEP) {
    float chain[2] = {0.0f, 0.0f};
    for (size_t i = from; i < from + KERNEL_STEP; i++) {
      const uint32_t row = *pair_of_row(call, 0, r, i), column = *pair_of_column(call, 0, j, i);
      for (size_t k = 0; k < 2; k++)
        chain[k] = flushed(fmaf(element(row, k), element(column, k), chain[k]));
    }
    sum = flushed(flushed(sum) + flushed(chain[0] + chain[1]));
  }
  return sum;
}

static void require_defined_sums(const Kernels *kernels, const GemmCall *call, bool rescaled) {
  float *const c = gemm_call_run(kernels, call, rescaled);
  for (size_t r = 0; r < call->rows; r++) {
    for (size_t j = 0; j < call->width; j++) {
      const float before = call->rescale[r] * call->before[r * call->c_stride + j];
      const float expected = defined_sum(call, r, j, rescaled ? before : 0.0f);
      const float got = c[r * call->c_stride + j];
      if (isnan(got) && isnan(expected)) continue;
      if (!same_float(got, expected))
        fail_kernel(kernels, rescaled ? "rescaled sum" : "sum", r, j, (double)got,
                    (double)expected);
    }
  }
  guarded_free(c, "sums");
}

void check_emulated_dots(void) {
  const Kernels kernels = watched_kernels();
  GemmCall call = gemm_call_new(KERNEL_MAX_ROWS, 2 * KERNEL_CHAIN, 2 * KERNEL_PANEL, 1, 1, 1);
  for (int spread = 0; spread < 3; spread++) {
    if (spread > 0) spread_rows(&call);
    if (spread > 1) spread_columns(&call);
    require_defined_sums(&kernels, &call, false);
    for (size_t r = 0; r < call.rows; r++) call.rescale[r] = ldexpf(1.0f, 12 * (int)r - 260);
    require_defined_sums(&kernels, &call, true);
  }
  gemm_call_free(&call);
  kernels.release();
}

/* ---- tiles of the processor ---- */

static void require_same_bits(const Kernels *kernels, const GemmCall *call, bool rescaled) {
  const Kernels emulated = watched_kernels();
  float *const c = gemm_call_run(kernels, call, rescaled);
  float *const expected = gemm_call_run(&emulated, call, rescaled);
  for (size_t at = 0; at < call->c_floats; at++) {
    if (isnan(c[at]) && isnan(expected[at])) continue; /* whose bits nobody promises */
    if (!same_float(c[at], expected[at]))
      fail_kernel(kernels, rescaled ? "rescaled sum" : "sum", at / call->c_stride,
                  at % call->c_stride, (double)c[at], (double)expected[at]);
  }
  guarded_free(c, "sums");
  guarded_free(expected, "sums");
}

void check_tiles_of_processor(const Kernels *kernels) {
  if (kernels->isa != ATTEND_ISA_AMX) return;
  static const size_t heights[] = {1, 16, 17, KERNEL_MAX_ROWS};
  for (size_t bf16_terms = 1; bf16_terms <= KERNEL_MAX_TERMS; bf16_terms++) {
    for (size_t h = 0; h < COUNT_OF(heights); h++) {
      GemmCall call = gemm_call_new(heights[h], KERNEL_CHAIN + KERNEL_STEP, 2 * KERNEL_PANEL,
                                    bf16_terms, bf16_terms, bf16_terms);
      /* Powers of two: the emulated tiles' vocabulary rounds a multiply-add twice. */
      for (size_t r = 0; r < call.rows; r++)
        call.rescale[r] = r % 3 ? 0.25f * (float)(r % 3) : 0.0f;
      for (int spread = 0; spread < 2; spread++) {
        require_same_bits(kernels, &call, false);
        require_same_bits(kernels, &call, true);
        spread_rows(&call);
      }
      gemm_call_free(&call);
    }
  }
}
