/* test_kernels.c - every kernel family of the manifest, for every instruction set, by its contract.
 *
 * The expected values are computed here in double from the sentences of kernels.h; the members of an
 * ISA are also held against the scalar ones where the contract says more than a tolerance. Sources
 * are allocated to the exact size, so that a sanitizer sees reads beyond them, and destinations lie
 * between guard zones. A family of the manifest without a check here fails.
 */
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

#define FLOAT_UNIT 0x1p-24

#define fail_kernel(kernels, ...) fail_with((kernels), __func__, __VA_ARGS__)

static void fail_with(const Kernels *kernels, const char *check, const char *what, size_t row,
                      size_t column, double got, double expected) {
  fail_msg("%s isa=%s rows=%zu panel=%zu: %s (%zu, %zu) is %.9g, expected %.9g", check,
           attend_isa_name(kernels->isa), kernels->rows, kernels->panel, what, row, column, got,
           expected);
}

static float *new_packed(size_t floats) {
  return guarded_new(floats * sizeof(float), 0);
}

static bool same_float(float a, float b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

/* ---- packing ---- */

static void check_pack_keys(const Kernels *kernels) {
  static const size_t depths[] = {1, 3, 7, 8, 15, 16, 17, 31, 33, 64, 80, 128};
  for (size_t keys = 1; keys <= kernels->panel; keys++) {
    for (size_t k = 0; k < COUNT_OF(depths); k++) {
      const size_t depth = depths[k], stride = depth + keys % 3 * 5;
      float *const source = new_random(keys, 1.0f, (keys - 1) * stride + depth);
      float *const panel = new_packed(depth * kernels->panel);
      kernels->pack_keys(keys, depth, source, stride, panel);
      for (size_t d = 0; d < depth; d++)
        for (size_t j = 0; j < kernels->panel; j++) {
          const float expected = j < keys ? source[j * stride + d] : 0.0f;
          const float got = panel[d * kernels->panel + j];
          if (!same_float(got, expected))
            fail_kernel(kernels, "element", d, j, (double)got, (double)expected);
        }
      guarded_free(panel, "packed keys");
      free(source);
    }
  }
}

static void check_pack_values(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 5, 31, 64, 67};
  for (size_t columns = 1; columns <= kernels->panel; columns++) {
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
      const size_t keys = counts[k], stride = columns + columns % 4 * 3;
      float *const source = new_random(columns, 1.0f, keys ? (keys - 1) * stride + columns : 0);
      float *const panel = new_packed(keys * kernels->panel);
      kernels->pack_values(keys, columns, source, stride, panel);
      for (size_t j = 0; j < keys; j++)
        for (size_t c = 0; c < kernels->panel; c++) {
          const float expected = c < columns ? source[j * stride + c] : 0.0f;
          const float got = panel[j * kernels->panel + c];
          if (!same_float(got, expected))
            fail_kernel(kernels, "element", j, c, (double)got, (double)expected);
        }
      guarded_free(panel, "packed values");
      free(source);
    }
  }
}

/* Rows at unrelated addresses; packed rows beyond the last stay as they were. */
static void check_pack_queries(const Kernels *kernels) {
  static const size_t depths[] = {1, 3, 8, 16, 17, 64, 80, 129};
  const float scale = 0.18033688f;
  for (size_t rows = 1; rows <= kernels->rows; rows++) {
    for (size_t k = 0; k < COUNT_OF(depths); k++) {
      const size_t depth = depths[k];
      float *source[KERNEL_MAX_ROWS] = {0};
      const float *query[KERNEL_MAX_ROWS] = {0};
      for (size_t r = 0; r < rows; r++) query[r] = source[r] = new_random(r + 1, 1.0f, depth);
      float *const packed = new_packed(depth * kernels->rows);
      kernels->pack_queries(rows, depth, query, scale, packed);
      for (size_t d = 0; d < depth; d++)
        for (size_t r = 0; r < kernels->rows; r++) {
          const float expected = r < rows ? scale * source[r][d] : untouched_float();
          const float got = packed[d * kernels->rows + r];
          if (!same_float(got, expected))
            fail_kernel(kernels, "element", d, r, (double)got, (double)expected);
        }
      guarded_free(packed, "packed queries");
      for (size_t r = 0; r < rows; r++) free(source[r]);
    }
  }
}

/* ---- scores ---- */

static void compare_scores(const Kernels *kernels, size_t rows, size_t depth, size_t panels,
                           const float *query, const float *keys, const float *scores,
                           size_t stride) {
  for (size_t r = 0; r < kernels->rows; r++) {
    for (size_t c = 0; c < stride; c++) {
      const float got = scores[r * stride + c];
      if (r >= rows || c >= panels * kernels->panel) {
        if (!is_untouched(&got)) fail_kernel(kernels, "a gap", r, c, (double)got, NAN);
        continue;
      }
      const size_t p = c / kernels->panel, j = c % kernels->panel;
      double sum = 0.0, size = 0.0;
      for (size_t d = 0; d < depth; d++) {
        const double product = (double)query[d * kernels->rows + r] *
                               (double)keys[(p * depth + d) * kernels->panel + j];
        sum += product;
        size += fabs(product);
      }
      if (!is_close((double)got, sum, ((double)depth + 1.0) * FLOAT_UNIT * size))
        fail_kernel(kernels, "score", r, c, (double)got, sum);
    }
  }
}

/* Every number of rows; a row has the same bits whatever their number and the number of panels. */
static void check_scores(const Kernels *kernels) {
  static const size_t depths[] = {1, 2, 3, 16, 33, 64, 128};
  const size_t width = kernels->panel;
  for (size_t k = 0; k < COUNT_OF(depths); k++) {
    const size_t depth = depths[k], most = 3, stride = (most + 1) * width;
    float *const query = new_packed(depth * kernels->rows);
    float *const keys = new_packed(most * depth * width);
    float *const all = new_packed(kernels->rows * stride);
    fill_random(depth, 1.0f, query, depth * kernels->rows);
    fill_random(depth + 100, 1.0f, keys, most * depth * width);
    kernels->scores(kernels->rows, depth, most, query, keys, all, stride);
    for (size_t rows = 1; rows <= kernels->rows; rows++) {
      for (size_t panels = 0; panels <= most; panels++) {
        float *const scores = new_packed(kernels->rows * stride);
        kernels->scores(rows, depth, panels, query, keys, scores, stride);
        compare_scores(kernels, rows, depth, panels, query, keys, scores, stride);
        for (size_t r = 0; r < rows; r++)
          for (size_t c = 0; c < panels * width; c++)
            if (!same_float(scores[r * stride + c], all[r * stride + c]))
              fail_kernel(kernels, "other bits", r, c, (double)scores[r * stride + c],
                          (double)all[r * stride + c]);
        guarded_free(scores, "scores");
      }
    }
    guarded_free(query, "query");
    guarded_free(keys, "keys");
    guarded_free(all, "scores");
  }
}

/* ---- softmax ---- */

/* Scores and the state of one call, all rows of it. */
typedef struct SoftmaxCall {
  size_t rows, width, stride;
  size_t visible[KERNEL_MAX_ROWS];
  float *before, *scores; /* [R][stride] */
  float old_max[KERNEL_MAX_ROWS], old_sum[KERNEL_MAX_ROWS];
  float max[KERNEL_MAX_ROWS + 1], sum[KERNEL_MAX_ROWS + 1], rescale[KERNEL_MAX_ROWS + 1];
} SoftmaxCall;

static SoftmaxCall softmax_new(const Kernels *kernels, size_t rows, size_t width, float bound,
                               uint64_t seed) {
  SoftmaxCall call = {.rows = rows, .width = width, .stride = width + kernels->panel};
  const size_t floats = kernels->rows * call.stride;
  call.before = new_packed(floats);
  call.scores = new_packed(floats);
  for (size_t r = 0; r < rows; r++) {
    fill_random(seed * 64 + r, bound, call.before + r * call.stride, width);
    call.visible[r] = width;
    call.old_max[r] = r % 3 == 0 ? -INFINITY : bound * (float)(r % 5) / 4.0f;
    call.old_sum[r] = r % 3 == 0 ? 0.0f : 1.5f + (float)r;
  }
  return call;
}

static void softmax_free(SoftmaxCall *call) {
  guarded_free(call->before, "scores before");
  guarded_free(call->scores, "scores");
}

static void softmax_run(const Kernels *kernels, SoftmaxCall *call, bool ragged) {
  memcpy(call->scores, call->before, kernels->rows * call->stride * sizeof(float));
  for (size_t r = 0; r <= KERNEL_MAX_ROWS; r++)
    call->max[r] = call->sum[r] = call->rescale[r] = untouched_float();
  memcpy(call->max, call->old_max, call->rows * sizeof(float));
  memcpy(call->sum, call->old_sum, call->rows * sizeof(float));
  if (ragged)
    kernels->softmax_ragged(call->rows, call->width, call->visible, call->scores, call->stride,
                            call->max, call->sum, call->rescale);
  else
    kernels->softmax_full(call->rows, call->width, call->scores, call->stride, call->max, call->sum,
                          call->rescale);
}

/* Two units of the last place of exp2, and the rounding of its argument s - m. */
static double weight_allowance(double weight, double argument) {
  return weight * (4.0 + fabs(argument)) * 2.0 * FLOAT_UNIT + 0x1p-126;
}

static void compare_weights(const Kernels *kernels, const SoftmaxCall *call, size_t r) {
  const float *const before = call->before + r * call->stride;
  const float *const after = call->scores + r * call->stride;
  double max = (double)call->old_max[r], sum = 0.0, allowed = 0.0;
  for (size_t j = 0; j < call->visible[r]; j++) max = fmax(max, (double)before[j]);
  for (size_t j = 0; j < call->stride; j++) {
    if (j >= call->width) {
      if (!is_untouched(after + j)) fail_kernel(kernels, "a gap", r, j, (double)after[j], NAN);
      continue;
    }
    const bool counts = j < call->visible[r] && before[j] > -INFINITY;
    const double argument = counts ? (double)before[j] - max : 0.0;
    const double weight = counts ? exp2(argument) : 0.0;
    const double weight_allowed = counts ? weight_allowance(weight, argument) : 0.0;
    if (!is_close((double)after[j], weight, weight_allowed))
      fail_kernel(kernels, "weight", r, j, (double)after[j], weight);
    sum += weight;
    allowed += weight_allowed + weight * (double)call->width * FLOAT_UNIT;
  }
  if (!same_float(call->max[r], (float)max))
    fail_kernel(kernels, "m of row", r, call->visible[r], (double)call->max[r], max);
  const bool fresh = call->old_max[r] == -INFINITY;
  const double rescale = fresh ? 0.0 : exp2((double)call->old_max[r] - max);
  const double rescale_allowed = fresh ? 0.0 : weight_allowance(rescale, max);
  if (call->visible[r] == 0 ? call->rescale[r] != 1.0f
      : max == -INFINITY    ? !(call->rescale[r] >= 0.0f && call->rescale[r] <= 1.0f)
                            : !is_close((double)call->rescale[r], rescale, rescale_allowed))
    fail_kernel(kernels, "rescale of row", r, call->visible[r], (double)call->rescale[r], rescale);
  const double kept = call->visible[r] ? rescale * (double)call->old_sum[r] : call->old_sum[r];
  allowed += (rescale_allowed + 4.0 * FLOAT_UNIT * rescale) * (double)call->old_sum[r];
  if (!is_close((double)call->sum[r], kept + sum, allowed))
    fail_kernel(kernels, "l of row", r, call->visible[r], (double)call->sum[r], kept + sum);
}

static void compare_softmax(const Kernels *kernels, const SoftmaxCall *call) {
  for (size_t r = 0; r < call->rows; r++) compare_weights(kernels, call, r);
  for (size_t r = call->rows; r <= KERNEL_MAX_ROWS; r++)
    if (!is_untouched(call->max + r) || !is_untouched(call->sum + r) ||
        !is_untouched(call->rescale + r))
      fail_kernel(kernels, "state beyond the rows", r, 0, (double)call->sum[r], NAN);
}

/* Ordinary, huge, equal and -inf scores. */
static void spoil_scores(SoftmaxCall *call, size_t kind) {
  for (size_t r = 0; r < call->rows; r++) {
    for (size_t j = 0; j < call->width; j++) {
      float *const score = call->before + r * call->stride + j;
      if (kind == 1) *score = *score * 3e38f;
      if (kind == 2) *score = 77.25f;
      if (kind == 3 && (j + r) % 3) *score = -INFINITY;
      if (kind == 4) *score = -INFINITY;
    }
    if (kind == 1 && r % 3) call->old_max[r] = 2e38f;
  }
}

static void check_softmax_sizes(const Kernels *kernels, bool ragged) {
  for (size_t rows = 1; rows <= kernels->rows; rows++) {
    for (size_t panels = 1; panels <= 4; panels++) {
      for (size_t kind = 0; kind < 5; kind++) {
        const size_t width = panels * kernels->panel;
        SoftmaxCall call =
            softmax_new(kernels, rows, width, kind == 1 ? 1.0f : 20.0f, rows * 8 + panels);
        spoil_scores(&call, kind);
        for (size_t first = 0; first <= (ragged ? width : 0); first++) {
          for (size_t r = 0; ragged && r < rows; r++)
            call.visible[r] = (first + 3 * r) % (width + 1);
          softmax_run(kernels, &call, ragged);
          compare_softmax(kernels, &call);
        }
        softmax_free(&call);
      }
    }
  }
}

/* A NaN or +inf makes l of its row so, and touches no other row. */
static void check_softmax_poison(const Kernels *kernels, bool ragged) {
  static const float poisons[] = {NAN, INFINITY};
  for (size_t p = 0; p < COUNT_OF(poisons); p++) {
    for (size_t at = 0; at < 2 * kernels->panel; at++) {
      SoftmaxCall call = softmax_new(kernels, kernels->rows, 2 * kernels->panel, 5.0f, at);
      const size_t row = at % kernels->rows;
      call.before[row * call.stride + at] = poisons[p];
      softmax_run(kernels, &call, ragged);
      if (!isnan(call.sum[row]))
        fail_kernel(kernels, "l of a row with NaN or inf", row, at, (double)call.sum[row], NAN);
      for (size_t r = 0; r < kernels->rows; r++)
        if (r != row) compare_weights(kernels, &call, r);
      if (ragged) {
        call.visible[row] = at;
        softmax_run(kernels, &call, ragged);
        compare_softmax(kernels, &call);
      }
      softmax_free(&call);
    }
  }
}

static void check_softmax_full(const Kernels *kernels) {
  check_softmax_sizes(kernels, false);
  check_softmax_poison(kernels, false);
}

/* The result depends on the visible scores alone: it has the same bits under another width, another
 * number of rows, and, where everything is visible, in the full member. */
static void check_ragged_bits(const Kernels *kernels) {
  const size_t wide = 4 * kernels->panel;
  SoftmaxCall reference = softmax_new(kernels, kernels->rows, wide, 9.0f, 5);
  for (size_t visible = 0; visible <= wide; visible++) {
    for (size_t r = 0; r < kernels->rows; r++) reference.visible[r] = visible;
    softmax_run(kernels, &reference, true);
    const size_t panels = (visible + kernels->panel - 1) / kernels->panel;
    const bool full = visible > 0 && visible % kernels->panel == 0;
    for (size_t width = (panels ? panels : 1) * kernels->panel; width <= wide;
         width += kernels->panel) {
      SoftmaxCall call = reference;
      call.width = width;
      call.rows = 1 + visible % kernels->rows;
      call.scores = new_packed(kernels->rows * call.stride);
      softmax_run(kernels, &call, !(full && width == visible));
      for (size_t r = 0; r < call.rows; r++) {
        if (!same_float(call.sum[r], reference.sum[r]) ||
            !same_float(call.max[r], reference.max[r]) ||
            !same_float(call.rescale[r], reference.rescale[r]))
          fail_kernel(kernels, "state under another width", r, width, (double)call.sum[r],
                      (double)reference.sum[r]);
        assert_memory_equal(call.scores + r * call.stride, reference.scores + r * call.stride,
                            width * sizeof(float));
      }
      guarded_free(call.scores, "scores");
    }
  }
  softmax_free(&reference);
}

static void check_softmax_ragged(const Kernels *kernels) {
  check_softmax_sizes(kernels, true);
  check_softmax_poison(kernels, true);
  check_ragged_bits(kernels);
}

/* ---- weigh ---- */

typedef struct WeighCall {
  size_t rows, keys, panels;
  size_t weight_stride, panel_stride, sum_stride;
  float *weights, *values, *before; /* before: the sums that the call starts from */
  float rescale[KERNEL_MAX_ROWS];
} WeighCall;

static WeighCall weigh_new(const Kernels *kernels, size_t keys, size_t panels) {
  const size_t width = kernels->panel, key_panels = (keys + width - 1) / width;
  WeighCall call = {.rows = kernels->rows,
                    .keys = keys,
                    .panels = panels,
                    .weight_stride = (key_panels + 1) * width,
                    .panel_stride = (keys + 2) * width,
                    .sum_stride = (panels + 1) * width};
  call.weights = new_packed(kernels->rows * call.weight_stride);
  call.values = new_packed(panels * call.panel_stride);
  call.before = new_packed(kernels->rows * call.sum_stride);
  for (size_t r = 0; r < kernels->rows; r++) {
    fill_random(3 * r, 1.0f, call.weights + r * call.weight_stride, keys);
    fill_random(3 * r + 1, 1.0f, call.before + r * call.sum_stride, panels * width);
    call.rescale[r] = 0.25f * (float)(r % 5);
  }
  for (size_t p = 0; p < panels; p++)
    fill_random(3 * p + 2, 1.0f, call.values + p * call.panel_stride, keys * width);
  return call;
}

static void weigh_free(WeighCall *call) {
  guarded_free(call->weights, "weights");
  guarded_free(call->values, "values");
  guarded_free(call->before, "sums before");
}

static float *weigh_run(const Kernels *kernels, const WeighCall *call, bool rescaled) {
  const size_t floats = kernels->rows * call->sum_stride;
  float *const sum = new_packed(floats);
  memcpy(sum, call->before, floats * sizeof *sum);
  kernels->weigh(call->rows, call->keys, call->panels, call->weights, call->weight_stride,
                 call->values, call->panel_stride, rescaled ? call->rescale : NULL, sum,
                 call->sum_stride);
  return sum;
}

static void compare_sums(const Kernels *kernels, const WeighCall *call, bool rescaled,
                         const float *sum) {
  for (size_t r = 0; r < kernels->rows; r++) {
    for (size_t c = 0; c < call->sum_stride; c++) {
      const size_t at = r * call->sum_stride + c;
      if (r >= call->rows || c >= call->panels * kernels->panel) {
        if (!same_float(sum[at], call->before[at]))
          fail_kernel(kernels, "a gap", r, c, (double)sum[at], (double)call->before[at]);
        continue;
      }
      const size_t p = c / kernels->panel, column = c % kernels->panel;
      double expected = (double)call->before[at] * (rescaled ? (double)call->rescale[r] : 1.0);
      double size = fabs(expected);
      for (size_t j = 0; j < call->keys; j++) {
        const double product =
            (double)call->weights[r * call->weight_stride + j] *
            (double)call->values[p * call->panel_stride + j * kernels->panel + column];
        expected += product;
        size += fabs(product);
      }
      if (!is_close((double)sum[at], expected, ((double)call->keys + 2.0) * FLOAT_UNIT * size))
        fail_kernel(kernels, "sum", r, c, (double)sum[at], expected);
    }
  }
}

/* Every number of rows; a row has the same bits whatever their number; weights beyond the keys are
 * NaN here and must not be used. */
static void check_weigh(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 3, 7, 16, 33, 64, 100};
  for (size_t k = 0; k < COUNT_OF(counts); k++) {
    for (size_t panels = 1; panels <= 3; panels++) {
      WeighCall call = weigh_new(kernels, counts[k], panels);
      for (int rescaled = 0; rescaled < 2; rescaled++) {
        call.rows = kernels->rows;
        float *const all = weigh_run(kernels, &call, rescaled);
        for (size_t rows = 1; rows <= kernels->rows; rows++) {
          call.rows = rows;
          float *const sum = weigh_run(kernels, &call, rescaled);
          compare_sums(kernels, &call, rescaled, sum);
          assert_memory_equal(sum, all, rows * call.sum_stride * sizeof *sum);
          guarded_free(sum, "sums");
        }
        guarded_free(all, "sums");
      }
      weigh_free(&call);
    }
  }
}

/* ---- exp2 ---- */

#define SWEEP_BLOCK 4096
#define SWEEP_STEP 13 /* every 13th float of [-127, -2^-40] */

/* Distance from the exact value in units of the last place of a float of that size. */
static double error_ulp(float got, double exact) {
  return fabs((double)got - exact) / ldexp(1.0, ilogb(exact) - 23);
}

static void sweep_exp2(const Kernels *kernels, double *worst, float *witness) {
  const float first = 0x1p-40f, last = 127.0f;
  uint32_t bits, end;
  memcpy(&bits, &first, sizeof bits);
  memcpy(&end, &last, sizeof end);
  float *const x = new_packed(SWEEP_BLOCK), *const y = new_packed(SWEEP_BLOCK);
  while (bits <= end) {
    size_t count = 0;
    for (; count < SWEEP_BLOCK && bits <= end; bits += SWEEP_STEP, count++) {
      memcpy(x + count, &bits, sizeof bits);
      x[count] = -x[count];
    }
    kernels->exp2(count, x, y);
    for (size_t i = 0; i < count; i++) {
      if (x[i] < -126.5f && y[i] != 0.0f)
        fail_kernel(kernels, "2^x far down", 0, i, (double)y[i], 0.0);
      if (x[i] < -126.0f) {
        if (!(y[i] >= 0.0f && y[i] <= 0x1p-125f))
          fail_kernel(kernels, "2^x below the normal range", 0, i, (double)y[i], 0.0);
        continue;
      }
      const double ulp = error_ulp(y[i], exp2((double)x[i]));
      if (!(ulp <= *worst)) {
        *worst = ulp;
        *witness = x[i];
      }
    }
  }
  guarded_free(x, "x");
  guarded_free(y, "y");
}

/* Every count around the vectors, with the special values at each place. */
static void check_exp2_specials(const Kernels *kernels) {
  static const float specials[] = {0.0f,    -0.0f,    -INFINITY, NAN,
                                   -126.6f, -1000.0f, -3.4e38f,  -0x1p-149f};
  static const float expected[] = {1.0f, 1.0f, 0.0f, NAN, 0.0f, 0.0f, 0.0f, 1.0f};
  for (size_t count = 0; count <= 2 * KERNEL_MAX_PANEL + 3; count++) {
    float *const x = new_packed(count), *const y = new_packed(count);
    for (size_t i = 0; i < count; i++) x[i] = specials[(i + count) % COUNT_OF(specials)];
    kernels->exp2(count, x, y);
    for (size_t i = 0; i < count; i++) {
      const float want = expected[(i + count) % COUNT_OF(specials)];
      if (isnan(want) ? !isnan(y[i]) : y[i] != want)
        fail_kernel(kernels, "2^x of a special value", count, i, (double)y[i], (double)want);
    }
    guarded_free(x, "x");
    guarded_free(y, "y");
  }
}

static void check_exp2(const Kernels *kernels) {
  double worst = 0.0;
  float witness = 0.0f;
  check_exp2_specials(kernels);
  sweep_exp2(kernels, &worst, &witness);
  print_message("# exp2 isa=%s: largest error %.4f ULP at %.9g (%a)\n",
                attend_isa_name(kernels->isa), worst, (double)witness, (double)witness);
  if (!(worst <= 2.0)) fail_kernel(kernels, "largest error in ULP", 0, 0, worst, 2.0);
  for (int n = -126; n <= 0; n++) {
    const float x = (float)n;
    float y = untouched_float();
    kernels->exp2(1, &x, &y);
    if (error_ulp(y, exp2((double)n)) > 1.0)
      fail_kernel(kernels, "2^x of a whole number", 0, 0, (double)y, exp2((double)n));
  }
}

/* ---- yardsticks ---- */

/* FLOPs are counted, not guessed: they grow with the rounds; and the work leaves its trace. */
static void check_peak(const Kernels *kernels) {
  float sink = untouched_float();
  const double one = kernels->peak(1000, &sink);
  assert_false(is_untouched(&sink));
  assert_true(isfinite(sink));
  assert_true(one >= 1000.0);
  for (size_t factor = 2; factor <= 16; factor *= 2) {
    const double more = kernels->peak(1000 * factor, &sink);
    if (more != one * (double)factor)
      fail_kernel(kernels, "FLOPs", factor, 0, more, one * (double)factor);
  }
}

/* Small whole numbers add up without rounding, so that the sum is exact whatever its order, and what
 * is left out shows. What does not divide evenly may be at most a few vectors of each stream. */
static void check_read(const Kernels *kernels) {
  static const size_t streams[] = {1, 2, 4, 8};
  static const size_t counts[] = {0, 1024, 4096, 8192, 65536};
  for (size_t s = 0; s < COUNT_OF(streams); s++) {
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
      float *const data = new_packed(counts[k]);
      double sum = 0.0;
      for (size_t i = 0; i < counts[k]; i++) {
        data[i] = (float)(i * 7 % 13);
        sum += (double)data[i];
      }
      const float got = kernels->read(data, counts[k], streams[s]);
      if ((double)got != sum) fail_kernel(kernels, "sum", streams[s], counts[k], (double)got, sum);
      guarded_free(data, "data");
    }
    for (size_t count = 1; count < 2000; count += 97) {
      float *const data = new_packed(count);
      for (size_t i = 0; i < count; i++) data[i] = 1.0f;
      const float got = kernels->read(data, count, streams[s]);
      if (!(got <= (float)count && got >= (float)count - 64.0f * (float)streams[s] - 64.0f))
        fail_kernel(kernels, "floats read", streams[s], count, (double)got, (double)count);
      guarded_free(data, "data");
    }
  }
}

/* ---- the manifest ---- */

/* Every family that has a check_<family>() above. */
#define CHECKED_FAMILIES(X)                                                                        \
  X(pack_keys)                                                                                     \
  X(pack_values)                                                                                   \
  X(pack_queries)                                                                                  \
  X(scores)                                                                                        \
  X(softmax_full)                                                                                  \
  X(softmax_ragged)                                                                                \
  X(weigh)                                                                                         \
  X(exp2)                                                                                          \
  X(peak)                                                                                          \
  X(read)

static void for_each_isa(void (*check)(const Kernels *kernels)) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t k = 0; k < count; k++) {
    const Kernels *const kernels = kernels_get(isas[k]);
    assert_non_null(kernels);
    check(kernels);
  }
}

#define DEFINE_TEST(family)                                                                        \
  static void kernel_##family(void **state) {                                                      \
    (void)state;                                                                                   \
    for_each_isa(check_##family);                                                                  \
  }
CHECKED_FAMILIES(DEFINE_TEST)

static void every_family_of_the_manifest_is_checked(void **state) {
  (void)state;
#define NAME_OF(family) #family,
  static const char *const checked[] = {CHECKED_FAMILIES(NAME_OF)};
#undef NAME_OF
  const char *const *const families = kernels_families();
  size_t count = 0;
  for (; families[count]; count++) {
    bool found = false;
    for (size_t k = 0; k < COUNT_OF(checked); k++)
      if (strcmp(checked[k], families[count]) == 0) found = true;
    if (!found) fail_msg("the family \"%s\" has no check in test_kernels.c", families[count]);
  }
  assert_int_equal(count, COUNT_OF(checked));
}

/* The numbers that shape the data, and no null member. */
static void check_table(const Kernels *kernels) {
  assert_in_range(kernels->rows, 1, KERNEL_MAX_ROWS);
  assert_in_range(kernels->panel, 1, KERNEL_MAX_PANEL);
#define ATTEND_KERNEL(family, result, arguments) assert_true(kernels->family != NULL);
#include "kernels/kernels.def"
#undef ATTEND_KERNEL
}

static void tables_are_complete(void **state) {
  (void)state;
  for_each_isa(check_table);
  assert_null(kernels_get(ATTEND_ISA_AUTO));
  AttendMachine machine;
  assert_int_equal(attend_describe_machine(&machine), ATTEND_OK);
  for (int isa = ATTEND_ISA_SCALAR; isa < ATTEND_ISA_COUNT; isa++) {
    const Kernels *const kernels = kernels_get((AttendIsa)isa);
    assert_int_equal(kernels != NULL, machine.isa_built[isa]);
    if (kernels) assert_int_equal(kernels->isa, isa);
  }
}

int main(void) {
#define TEST_OF(family) cmocka_unit_test(kernel_##family),
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_of_the_manifest_is_checked),
                                     cmocka_unit_test(tables_are_complete),
                                     CHECKED_FAMILIES(TEST_OF)};
#undef TEST_OF
  return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
