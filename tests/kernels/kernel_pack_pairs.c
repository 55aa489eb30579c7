/* kernel_pack_pairs.c - checks exactly the kernels that turn floats into terms of bf16 pairs or
 * into pairs of fp16, and the one that widens them.
 *
 * Every pair is compared with numbers computed in double, bit for bit; only a NaN may be any NaN.
 * All 65536 numbers of fp16 are widened, and they and what lies between them are rounded. Sources
 * end where a page without access begins, and what lies between terms and rows stays untouched.
 */
#include "tests/kernels/kernel_pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FP16_NUMBERS 0x10000u
#define GAP 48 /* pairs between terms, a whole number of vectors of any ISA */

static size_t whole_pairs(size_t floats) {
  const size_t step = 2 * KERNEL_STEP;
  return (floats + step - 1) / step * KERNEL_STEP;
}

/* `rows` rows of numbers, the last of which ends at the fence. */
typedef struct KvSource {
  size_t floats, stride;
  float *data;
} KvSource;

static KvSource source_new(uint64_t seed, size_t rows, size_t columns, size_t gap) {
  KvSource source = {.stride = columns + gap};
  source.floats = rows && columns ? (rows - 1) * source.stride + columns : 0;
  source.data = fenced_new(source.floats);
  for (size_t i = 0; i < source.floats; i++) source.data[i] = odd_float(seed + i);
  return source;
}

/* Terms of pairs [i][column] in guarded memory, compared with the numbers that they must be of. */
typedef struct Terms {
  KernelNumber number;
  size_t terms, term_stride;
  uint32_t *pairs;
} Terms;

/* What floats are packed as: one to three terms of bf16, and fp16. */
typedef struct Kind {
  KernelNumber number;
  size_t terms;
} Kind;

/* Has the processor take denormal floats for zero, or no longer; never with
 * ATTEND_TEST_KEEP_DENORMALS, for emulators that let it reach the conversions of fp16. */
static void hide_denormals(bool hidden) {
#if defined(__x86_64__)
  if (getenv("ATTEND_TEST_KEEP_DENORMALS")) return;
  const unsigned zero_bits = 0x8040u; /* FTZ and DAZ */
  const unsigned control = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(hidden ? control | zero_bits : control & ~zero_bits);
#else
  (void)hidden;
#endif
}

static const Kind kinds[] = {
    {KERNEL_BF16, 1}, {KERNEL_BF16, 2}, {KERNEL_BF16, 3}, {KERNEL_FP16, 1}};

static Terms terms_new(Kind kind, size_t pairs) {
  const size_t stride = pairs + GAP;
  return (Terms){kind.number, kind.terms, stride,
                 (uint32_t *)(void *)new_packed(kind.terms * stride)};
}

/* A zero's sign counts. */
static void compare_fp16(const Kernels *kernels, const Terms *packed, size_t at, size_t element,
                         float x) {
  const uint32_t pair = packed->pairs[at], bits = element ? pair >> 16 : pair & 0xffffu;
  const double got = fp16_number(bits), expected = round_to_fp16((double)x);
  if (isnan(expected) ? !isnan(got) : got != expected || signbit(got) != signbit(expected))
    fail_kernel(kernels, "fp16 number", at, element, got, expected);
}

static void compare_element(const Kernels *kernels, const Terms *packed, size_t at, size_t element,
                            float x) {
  double expected[KERNEL_MAX_TERMS];
  if (packed->number == KERNEL_FP16) {
    compare_fp16(kernels, packed, at, element, x);
    return;
  }
  terms_of(x, expected);
  for (size_t p = 0; p < packed->terms; p++) {
    const double got = pair_element(packed->pairs[p * packed->term_stride + at], element);
    if (isnan(expected[p]) ? !isnan(got) : bf16_bits(got) != bf16_bits(expected[p]))
      fail_kernel(kernels, "term and pair", p, at, got, expected[p]);
  }
}

static void compare_gaps(const Kernels *kernels, const Terms *packed, size_t pairs) {
  for (size_t p = 0; p < packed->terms; p++)
    for (size_t i = pairs; i < packed->term_stride; i++) {
      const uint32_t *const at = packed->pairs + p * packed->term_stride + i;
      if (!is_untouched((const float *)(const void *)at))
        fail_kernel(kernels, "behind a term", p, i, (double)*at, 0.0);
    }
}

/* What lies behind the pairs of row r of term 0. */
static void compare_gap(const Kernels *kernels, const Terms *packed, size_t r, size_t pairs,
                        size_t row_stride) {
  const uint32_t *const row = packed->pairs + r * row_stride;
  for (size_t i = pairs; i < row_stride; i++)
    if (!is_untouched((const float *)(const void *)(row + i)))
      fail_kernel(kernels, "behind a row", r, i, (double)row[i], 0.0);
}

/* A panel of keys (along_keys: rows are its columns), or of values. */
static void check_packed_panel(const Kernels *kernels, bool of_keys, size_t keys, size_t columns,
                               Kind kind, size_t gap) {
  const KvSource source = source_new(keys * 1000 + columns + kind.terms, keys, columns, gap);
  const size_t pairs = whole_pairs(of_keys ? columns : keys) * KERNEL_PANEL;
  Terms packed = terms_new(kind, pairs);
  (of_keys ? kernels->pack_key_pairs
           : kernels->pack_value_pairs)(keys, columns, source.data, source.stride, kind.number,
                                        kind.terms, packed.term_stride, packed.pairs);
  for (size_t at = 0; at < pairs; at++) {
    for (size_t element = 0; element < 2; element++) {
      const size_t along = 2 * (at / KERNEL_PANEL) + element, across = at % KERNEL_PANEL;
      const size_t row = of_keys ? across : along, column = of_keys ? along : across;
      const bool exists = row < keys && column < columns;
      compare_element(kernels, &packed, at, element,
                      exists ? source.data[row * source.stride + column] : 0.0f);
    }
  }
  compare_gaps(kernels, &packed, pairs);
  guarded_free(packed.pairs, "pairs");
  fenced_free(source.data, source.floats);
}

/* Every number of fp16, the middle between it and the next one, which is a tie, and the floats on
 * both sides of that. The middle behind the last number is where infinity begins. */
static void check_every_fp16(const Kernels *kernels, bool hidden) {
  enum { EACH = 4, KEYS = 32 };
  const size_t floats = (size_t)EACH * FP16_NUMBERS, depth = floats / KEYS;
  KvSource source = {.floats = floats, .stride = depth, .data = fenced_new(floats)};
  for (uint32_t i = 0; i < FP16_NUMBERS; i++) {
    const double here = fp16_number(i), next = fp16_number(i + 1);
    const bool last = (i & 0x7fffu) == 0x7bffu;
    const double end = last ? copysign(0x1p16, here) : next;
    const float middle = (float)(here + (end - here) / 2);
    source.data[EACH * i] = (float)here;
    source.data[EACH * i + 1] = middle;
    source.data[EACH * i + 2] = nextafterf(middle, -INFINITY);
    source.data[EACH * i + 3] = nextafterf(middle, INFINITY);
  }
  Terms packed = terms_new((Kind){KERNEL_FP16, 1}, depth / 2 * KEYS);
  hide_denormals(hidden);
  kernels->pack_key_pairs(KEYS, depth, source.data, source.stride, KERNEL_FP16, 1,
                          packed.term_stride, packed.pairs);
  hide_denormals(false);
  for (size_t at = 0; at < floats; at++) {
    const size_t key = at / depth, d = at % depth;
    compare_element(kernels, &packed, d / 2 * KEYS + key, d % 2, source.data[at]);
  }
  guarded_free(packed.pairs, "pairs");
  fenced_free(source.data, source.floats);
}

void check_pack_key_pairs(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 7, 8, 15, 16, 17, 31, 32};
  static const size_t depths[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 80, 127, 128};
  for (size_t k = 0; k < COUNT_OF(counts); k++)
    for (size_t d = 0; d < COUNT_OF(depths); d++)
      for (size_t n = 0; n < COUNT_OF(kinds); n++)
        check_packed_panel(kernels, true, counts[k], depths[d], kinds[n], (k + d) % 3);
  check_every_fp16(kernels, false);
  check_every_fp16(kernels, true);
}

void check_pack_value_pairs(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 3, 31, 32, 33, 64, 127, 128};
  static const size_t widths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32};
  for (size_t k = 0; k < COUNT_OF(counts); k++)
    for (size_t c = 0; c < COUNT_OF(widths); c++)
      for (size_t n = 0; n < COUNT_OF(kinds); n++)
        check_packed_panel(kernels, false, counts[k], widths[c], kinds[n], (k + c) % 3);
}

/* Rows at addresses of their own; the product with the scale rounds once. */
static void check_packed_row_block(const Kernels *kernels, size_t rows, size_t depth, Kind kind,
                                   float scale) {
  const size_t pairs = whole_pairs(depth), row_stride = pairs + KERNEL_STEP;
  KvSource sources[KERNEL_MAX_ROWS];
  const float *row[KERNEL_MAX_ROWS];
  for (size_t r = 0; r < rows; r++) {
    sources[r] = source_new(r * 977 + depth, 1, depth, 0);
    row[r] = sources[r].data;
  }
  Terms packed = terms_new(kind, rows * row_stride);
  kernels->pack_row_pairs(rows, depth, row, scale, kind.number, kind.terms, packed.term_stride,
                          row_stride, packed.pairs);
  for (size_t r = 0; r < rows; r++) {
    for (size_t i = 0; i < 2 * pairs; i++) {
      const float x = i < depth ? (float)((double)scale * (double)row[r][i]) : 0.0f;
      compare_element(kernels, &packed, r * row_stride + i / 2, i % 2, x);
    }
    compare_gap(kernels, &packed, r, pairs, row_stride);
  }
  compare_gaps(kernels, &packed, rows * row_stride);
  guarded_free(packed.pairs, "pairs");
  for (size_t r = 0; r < rows; r++) fenced_free(sources[r].data, sources[r].floats);
}

void check_pack_row_pairs(const Kernels *kernels) {
  static const size_t depths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 128};
  static const float scales[] = {1.0f, 0.1803369f, -3.0f, 0x1p-20f, 0x1p30f, INFINITY};
  for (size_t d = 0; d < COUNT_OF(depths); d++)
    for (size_t s = 0; s < COUNT_OF(scales); s++)
      for (size_t n = 0; n < COUNT_OF(kinds); n++)
        check_packed_row_block(kernels, 1 + (d + s) % 5, depths[d], kinds[n], scales[s]);
  for (size_t n = 0; n < COUNT_OF(kinds); n++)
    check_packed_row_block(kernels, KERNEL_MAX_ROWS, 128, kinds[n], 1.0f);
}

/* From 1 down to denormals, with zeros and a NaN here and there. */
static float some_weight(uint64_t seed) {
  const uint64_t kind = seed % 29;
  const float part = (float)(seed * 2654435761u % 0x1000000u) * 0x1p-24f;
  if (kind == 0) return 0.0f;
  if (kind == 1) return 1.0f;
  if (kind == 2) return NAN;
  return ldexpf(1.0f + part, -1 - (int)(seed * 40503u % (kind < 5 ? 149u : 20u)));
}

/* Denormals may be zeros where the ISA's own instruction rounds. */
static bool is_term(const Kernels *kernels, double got, double expected) {
  return got == expected || (kernels->has_bf16_dot && got == 0.0 && fabs(expected) <= 0x1p-126);
}

static void compare_weight(const Kernels *kernels, const Terms *packed, size_t at, size_t element,
                           float x) {
  double expected[KERNEL_MAX_TERMS];
  terms_of(x, expected);
  for (size_t p = 0; p < (isnan(x) ? 1 : packed->terms); p++) {
    const double got = pair_element(packed->pairs[p * packed->term_stride + at], element);
    if (isnan(x) ? !isnan(got) : !is_term(kernels, got, expected[p]))
      fail_kernel(kernels, "term and pair", p, at, got, expected[p]);
  }
}

static void check_weights(const Kernels *kernels, size_t rows, size_t keys, size_t terms) {
  const size_t pairs = whole_pairs(keys), row_stride = pairs + KERNEL_STEP;
  const KvSource source = source_new(keys, rows, keys, keys % 5);
  for (size_t e = 0; e < source.floats; e++) source.data[e] = some_weight(e + keys);
  Terms packed = terms_new((Kind){KERNEL_BF16, terms}, rows * row_stride);
  kernels->pack_weight_pairs(rows, keys, source.data, source.stride, terms, packed.term_stride,
                             row_stride, packed.pairs);
  for (size_t r = 0; r < rows; r++) {
    for (size_t j = 0; j < 2 * pairs; j++) {
      const float x = j < keys ? source.data[r * source.stride + j] : 0.0f;
      compare_weight(kernels, &packed, r * row_stride + j / 2, j % 2, x);
    }
    compare_gap(kernels, &packed, r, pairs, row_stride);
  }
  compare_gaps(kernels, &packed, rows * row_stride);
  guarded_free(packed.pairs, "pairs");
  fenced_free(source.data, source.floats);
}

void check_pack_weight_pairs(const Kernels *kernels) {
  static const size_t counts[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 96, 127, 128};
  for (size_t k = 0; k < COUNT_OF(counts); k++)
    for (size_t terms = 1; terms <= KERNEL_MAX_TERMS; terms++)
      check_weights(kernels, 1 + (k + terms) % 5, counts[k], terms);
  check_weights(kernels, KERNEL_MAX_ROWS, 128, KERNEL_MAX_TERMS);
}

/* The sum in fp32, last term first: a sum in double rounds once more, and to the same float. */
static float sum_of_terms(const double *terms, size_t count) {
  float sum = (float)terms[count - 1];
  for (size_t p = count - 1; p-- > 0;) sum = (float)((double)sum + terms[p]);
  return sum;
}

/* What the first `count` terms of x lose, as kernels.h bounds it where no term underflows. */
static void check_loss(const Kernels *kernels, float x, float widened, size_t count) {
  static const double losses[] = {0x1p-8, 0x1p-17 + FLOAT_UNIT, 0.0};
  const double size = fabs((double)x);
  if (!(size >= 0x1p-100 && size <= 0x1p127)) return;
  if (fabs((double)widened - (double)x) > losses[count - 1] * size)
    fail_kernel(kernels, "loss with terms", count, 0, (double)widened, (double)x);
}

static void check_widen_terms(const Kernels *kernels, size_t pairs, size_t terms) {
  const size_t count = pairs * KERNEL_PANEL, term_stride = count + GAP;
  const size_t all = (terms - 1) * term_stride + count;
  uint32_t *const from = fenced_pairs_new(all);
  float *const panel = new_packed(2 * count);
  for (size_t at = 0; at < 2 * count; at++) {
    double parts[KERNEL_MAX_TERMS];
    terms_of(odd_float(at), parts);
    for (size_t p = 0; p < terms; p++)
      set_pair_element(from + p * term_stride + at / 2, at % 2, parts[p]);
  }
  kernels->widen(pairs, (KernelPairs){from, terms, term_stride, 0, KERNEL_BF16}, panel);
  for (size_t at = 0; at < 2 * count; at++) {
    double parts[KERNEL_MAX_TERMS];
    const float x = odd_float(at);
    terms_of(x, parts);
    const float expected = sum_of_terms(parts, terms);
    const size_t row = at / 2 / KERNEL_PANEL * 2 + at % 2, column = at / 2 % KERNEL_PANEL;
    const float got = panel[row * KERNEL_PANEL + column];
    if (isnan(expected) ? !isnan(got) : !same_float(got, expected))
      fail_kernel(kernels, "widened", row, column, (double)got, (double)expected);
    check_loss(kernels, x, got, terms);
  }
  guarded_free(panel, "panel");
  fenced_pairs_free(from, all);
}

/* Every pattern of 16 bits, each as a first and as a second number of a pair. */
static void check_widen_fp16(const Kernels *kernels, bool hidden) {
  const size_t pairs = FP16_NUMBERS / KERNEL_PANEL;
  uint32_t *const from = fenced_pairs_new(FP16_NUMBERS);
  float *const panel = new_packed(2 * (size_t)FP16_NUMBERS);
  for (uint32_t i = 0; i < FP16_NUMBERS; i++) from[i] = i | (FP16_NUMBERS - 1 - i) << 16;
  hide_denormals(hidden);
  kernels->widen(pairs, (KernelPairs){from, 1, 0, 0, KERNEL_FP16}, panel);
  hide_denormals(false);
  for (uint32_t i = 0; i < 2 * FP16_NUMBERS; i++) {
    const uint32_t row = i / KERNEL_PANEL, pair = row / 2 * KERNEL_PANEL + i % KERNEL_PANEL;
    const double expected = fp16_number(row % 2 ? FP16_NUMBERS - 1 - pair : pair);
    const double got = (double)panel[i];
    if (isnan(expected) ? !isnan(got) : got != expected || signbit(got) != signbit(expected))
      fail_kernel(kernels, "fp16 number widened", pair, row % 2, got, expected);
  }
  guarded_free(panel, "panel");
  fenced_pairs_free(from, FP16_NUMBERS);
}

void check_widen(const Kernels *kernels) {
  check_widen_fp16(kernels, false);
  check_widen_fp16(kernels, true);
  for (size_t pairs = KERNEL_STEP; pairs <= 5 * KERNEL_STEP; pairs += KERNEL_STEP)
    for (size_t terms = 1; terms <= KERNEL_MAX_TERMS; terms++)
      check_widen_terms(kernels, pairs, terms);
}
