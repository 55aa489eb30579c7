/* kernel_split.c - checks the kernels that split floats into planes of bf16 pairs, and widen, exactly.
 *
 * Every pair is compared with planes computed in double, bit for bit; only a NaN may be any NaN. Sources
 * end where a page without access begins, and what lies between planes and rows stays untouched.
 */
#include "tests/kernel_pairs.h"

#include <math.h>
#include <string.h>

#define GAP 48 /* pairs between planes, a whole number of vectors of any ISA */

static size_t whole_pairs(size_t floats) {
  const size_t step = 2 * KERNEL_STEP;
  return (floats + step - 1) / step * KERNEL_STEP;
}

/* `rows` rows of numbers, the last of which ends at the fence. */
typedef struct Source {
  size_t floats, stride;
  float *data;
} Source;

static Source source_new(uint64_t seed, size_t rows, size_t columns, size_t gap) {
  Source source = {.stride = columns + gap};
  source.floats = rows && columns ? (rows - 1) * source.stride + columns : 0;
  source.data = fenced_new(source.floats);
  for (size_t i = 0; i < source.floats; i++) source.data[i] = odd_float(seed + i);
  return source;
}

/* Planes of pairs [i][column] in guarded memory, compared with the numbers that they must be of. */
typedef struct Planes {
  size_t planes, plane_stride;
  uint32_t *pairs;
} Planes;

static Planes planes_new(size_t planes, size_t pairs) {
  const size_t stride = pairs + GAP;
  return (Planes){planes, stride, (uint32_t *)(void *)new_packed(planes * stride)};
}

static void compare_element(const Kernels *kernels, const Planes *split, size_t at, size_t element,
                            float x) {
  double expected[KERNEL_MAX_PLANES];
  planes_of(x, expected);
  for (size_t p = 0; p < split->planes; p++) {
    const double got = pair_element(split->pairs[p * split->plane_stride + at], element);
    if (isnan(expected[p]) ? !isnan(got) : bf16_bits(got) != bf16_bits(expected[p]))
      fail_kernel(kernels, "plane and pair", p, at, got, expected[p]);
  }
}

static void compare_gaps(const Kernels *kernels, const Planes *split, size_t pairs) {
  for (size_t p = 0; p < split->planes; p++)
    for (size_t i = pairs; i < split->plane_stride; i++) {
      const uint32_t *const at = split->pairs + p * split->plane_stride + i;
      if (!is_untouched((const float *)(const void *)at))
        fail_kernel(kernels, "behind a plane", p, i, (double)*at, 0.0);
    }
}

/* A panel of keys (along_keys: rows are its columns), or of values. */
static void check_split_panel(const Kernels *kernels, bool of_keys, size_t keys, size_t columns,
                              size_t planes, size_t gap) {
  const Source source = source_new(keys * 1000 + columns + planes, keys, columns, gap);
  const size_t pairs = whole_pairs(of_keys ? columns : keys) * KERNEL_PANEL;
  Planes split = planes_new(planes, pairs);
  (of_keys ? kernels->split_keys : kernels->split_values)(keys, columns, source.data, source.stride,
                                                          planes, split.plane_stride, split.pairs);
  for (size_t at = 0; at < pairs; at++) {
    for (size_t element = 0; element < 2; element++) {
      const size_t along = 2 * (at / KERNEL_PANEL) + element, across = at % KERNEL_PANEL;
      const size_t row = of_keys ? across : along, column = of_keys ? along : across;
      const bool exists = row < keys && column < columns;
      compare_element(kernels, &split, at, element,
                      exists ? source.data[row * source.stride + column] : 0.0f);
    }
  }
  compare_gaps(kernels, &split, pairs);
  guarded_free(split.pairs, "pairs");
  fenced_free(source.data, source.floats);
}

void check_split_keys(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 7, 8, 15, 16, 17, 31, 32};
  static const size_t depths[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 80, 127, 128};
  for (size_t k = 0; k < COUNT_OF(counts); k++)
    for (size_t d = 0; d < COUNT_OF(depths); d++)
      for (size_t planes = 1; planes <= KERNEL_MAX_PLANES; planes++)
        check_split_panel(kernels, true, counts[k], depths[d], planes, (k + d) % 3);
}

void check_split_values(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 3, 31, 32, 33, 64, 127, 128};
  static const size_t widths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32};
  for (size_t k = 0; k < COUNT_OF(counts); k++)
    for (size_t c = 0; c < COUNT_OF(widths); c++)
      for (size_t planes = 1; planes <= KERNEL_MAX_PLANES; planes++)
        check_split_panel(kernels, false, counts[k], widths[c], planes, (k + c) % 3);
}

/* Rows at addresses of their own; the product with the scale rounds once. */
static void check_split_row_block(const Kernels *kernels, size_t rows, size_t depth, size_t planes,
                                  float scale) {
  const size_t pairs = whole_pairs(depth), row_stride = pairs + KERNEL_STEP;
  Source sources[KERNEL_MAX_ROWS];
  const float *row[KERNEL_MAX_ROWS];
  for (size_t r = 0; r < rows; r++) {
    sources[r] = source_new(r * 977 + depth, 1, depth, 0);
    row[r] = sources[r].data;
  }
  Planes split = planes_new(planes, rows * row_stride);
  kernels->split_rows(rows, depth, row, scale, planes, split.plane_stride, row_stride, split.pairs);
  for (size_t r = 0; r < rows; r++) {
    for (size_t i = 0; i < 2 * pairs; i++) {
      const float x = i < depth ? (float)((double)scale * (double)row[r][i]) : 0.0f;
      compare_element(kernels, &split, r * row_stride + i / 2, i % 2, x);
    }
    for (size_t i = pairs; i < row_stride; i++)
      if (!is_untouched((const float *)(const void *)(split.pairs + r * row_stride + i)))
        fail_kernel(kernels, "behind a row", r, i, (double)split.pairs[r * row_stride + i], 0.0);
  }
  compare_gaps(kernels, &split, rows * row_stride);
  guarded_free(split.pairs, "pairs");
  for (size_t r = 0; r < rows; r++) fenced_free(sources[r].data, sources[r].floats);
}

void check_split_rows(const Kernels *kernels) {
  static const size_t depths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 128};
  static const float scales[] = {1.0f, 0.1803369f, -3.0f, 0x1p-20f, 0x1p30f, INFINITY};
  for (size_t d = 0; d < COUNT_OF(depths); d++)
    for (size_t s = 0; s < COUNT_OF(scales); s++)
      for (size_t planes = 1; planes <= KERNEL_MAX_PLANES; planes++)
        check_split_row_block(kernels, 1 + (d + s) % 5, depths[d], planes, scales[s]);
  check_split_row_block(kernels, KERNEL_MAX_ROWS, 128, KERNEL_MAX_PLANES, 1.0f);
}

/* The sum in fp32, last plane first: a sum in double rounds once more, and to the same float. */
static float sum_of_planes(const double *planes, size_t count) {
  float sum = (float)planes[count - 1];
  for (size_t p = count - 1; p-- > 0;) sum = (float)((double)sum + planes[p]);
  return sum;
}

/* What the first `count` planes of x lose, as kernels.h bounds it where no plane underflows. */
static void check_loss(const Kernels *kernels, float x, float widened, size_t count) {
  static const double losses[] = {0x1p-8, 0x1p-17 + FLOAT_UNIT, 0.0};
  const double size = fabs((double)x);
  if (!(size >= 0x1p-100 && size <= 0x1p127)) return;
  if (fabs((double)widened - (double)x) > losses[count - 1] * size)
    fail_kernel(kernels, "loss with planes", count, 0, (double)widened, (double)x);
}

static void check_widen_planes(const Kernels *kernels, size_t pairs, size_t planes) {
  const size_t count = pairs * KERNEL_PANEL, plane_stride = count + GAP;
  const size_t all = (planes - 1) * plane_stride + count;
  uint32_t *const from = fenced_pairs_new(all);
  float *const panel = new_packed(2 * count);
  for (size_t at = 0; at < 2 * count; at++) {
    double parts[KERNEL_MAX_PLANES];
    planes_of(odd_float(at), parts);
    for (size_t p = 0; p < planes; p++)
      set_pair_element(from + p * plane_stride + at / 2, at % 2, parts[p]);
  }
  kernels->widen(pairs, (KernelPairs){from, planes, plane_stride, 0}, panel);
  for (size_t at = 0; at < 2 * count; at++) {
    double parts[KERNEL_MAX_PLANES];
    const float x = odd_float(at);
    planes_of(x, parts);
    const float expected = sum_of_planes(parts, planes);
    const size_t row = at / 2 / KERNEL_PANEL * 2 + at % 2, column = at / 2 % KERNEL_PANEL;
    const float got = panel[row * KERNEL_PANEL + column];
    if (isnan(expected) ? !isnan(got) : !same_float(got, expected))
      fail_kernel(kernels, "widened", row, column, (double)got, (double)expected);
    check_loss(kernels, x, got, planes);
  }
  guarded_free(panel, "panel");
  fenced_pairs_free(from, all);
}

void check_widen(const Kernels *kernels) {
  for (size_t pairs = KERNEL_STEP; pairs <= 5 * KERNEL_STEP; pairs += KERNEL_STEP)
    for (size_t planes = 1; planes <= KERNEL_MAX_PLANES; planes++)
      check_widen_planes(kernels, pairs, planes);
}
