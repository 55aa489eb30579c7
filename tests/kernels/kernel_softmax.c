/* kernel_softmax.c - checks both members of the online softmax, ordinary and spoiled scores
 * alike. */
#include "tests/kernels/kernel_checks.h"

#include <math.h>
#include <string.h>

/* Scores and the state of one call, all rows of it. */
typedef struct SoftmaxCall {
  size_t rows, width, stride;
  bool headless; /* every row sees its scores from 0 on */
  size_t first[KERNEL_MAX_ROWS], visible[KERNEL_MAX_ROWS];
  float *before, *scores; /* [R][stride] */
  float old_max[KERNEL_MAX_ROWS], old_sum[KERNEL_MAX_ROWS];
  float max[KERNEL_MAX_ROWS + 1], sum[KERNEL_MAX_ROWS + 1], rescale[KERNEL_MAX_ROWS + 1];
} SoftmaxCall;

static SoftmaxCall softmax_new(const Kernels *kernels, size_t rows, size_t width, float bound,
                               uint64_t seed) {
  SoftmaxCall call = {.rows = rows, .width = width, .stride = width + kernels->block_columns};
  const size_t floats = kernels->block_rows * call.stride;
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
  memcpy(call->scores, call->before, kernels->block_rows * call->stride * sizeof(float));
  for (size_t r = 0; r <= KERNEL_MAX_ROWS; r++)
    call->max[r] = call->sum[r] = call->rescale[r] = untouched_float();
  memcpy(call->max, call->old_max, call->rows * sizeof(float));
  memcpy(call->sum, call->old_sum, call->rows * sizeof(float));
  if (ragged)
    kernels->softmax_ragged(call->rows, call->width, call->headless ? NULL : call->first,
                            call->visible, call->scores, call->stride, call->max, call->sum,
                            call->rescale);
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
  for (size_t j = call->first[r]; j < call->visible[r]; j++) max = fmax(max, (double)before[j]);
  for (size_t j = 0; j < call->stride; j++) {
    if (j >= call->width) {
      if (!is_untouched(after + j)) fail_kernel(kernels, "a gap", r, j, (double)after[j], NAN);
      continue;
    }
    const bool counts = j >= call->first[r] && j < call->visible[r] && before[j] > -INFINITY;
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
  const bool blind = call->visible[r] <= call->first[r];
  if (blind              ? call->rescale[r] != 1.0f
      : max == -INFINITY ? !(call->rescale[r] >= 0.0f && call->rescale[r] <= 1.0f)
                         : !is_close((double)call->rescale[r], rescale, rescale_allowed))
    fail_kernel(kernels, "rescale of row", r, call->visible[r], (double)call->rescale[r], rescale);
  const double kept = !blind ? rescale * (double)call->old_sum[r] : call->old_sum[r];
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
  for (size_t rows = 1; rows <= kernels->block_rows; rows++) {
    for (size_t panels = 1; panels <= 4; panels++) {
      for (size_t kind = 0; kind < 5; kind++) {
        const size_t width = panels * kernels->block_columns;
        SoftmaxCall call =
            softmax_new(kernels, rows, width, kind == 1 ? 1.0f : 20.0f, rows * 8 + panels);
        spoil_scores(&call, kind);
        for (size_t first = 0; first <= (ragged ? width : 0); first++) {
          call.headless = first % 3 == 0;
          for (size_t r = 0; ragged && r < rows; r++) {
            call.visible[r] = (first + 3 * r) % (width + 1);
            call.first[r] = call.headless ? 0 : (first * r) % (call.visible[r] + 1);
          }
          softmax_run(kernels, &call, ragged);
          compare_softmax(kernels, &call);
        }
        softmax_free(&call);
      }
    }
  }
}

/* A NaN or +inf spoils l of its row, and touches no other row. */
static void check_softmax_poison(const Kernels *kernels, bool ragged) {
  static const float poisons[] = {NAN, INFINITY};
  for (size_t p = 0; p < COUNT_OF(poisons); p++) {
    for (size_t at = 0; at < 2 * kernels->block_columns; at++) {
      SoftmaxCall call =
          softmax_new(kernels, kernels->block_rows, 2 * kernels->block_columns, 5.0f, at);
      const size_t row = at % kernels->block_rows;
      call.before[row * call.stride + at] = poisons[p];
      softmax_run(kernels, &call, ragged);
      if (!isnan(call.sum[row]))
        fail_kernel(kernels, "l of a row with NaN or inf", row, at, (double)call.sum[row], NAN);
      for (size_t r = 0; r < kernels->block_rows; r++)
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

void check_softmax_full(const Kernels *kernels) {
  check_softmax_sizes(kernels, false);
  check_softmax_poison(kernels, false);
}

/* The result depends on the visible scores alone: it has the same bits under another width, another
 * number of rows, and, where everything is visible, in the full member. */
static void check_ragged_bits(const Kernels *kernels) {
  const size_t wide = 4 * kernels->block_columns;
  SoftmaxCall reference = softmax_new(kernels, kernels->block_rows, wide, 9.0f, 5);
  for (size_t visible = 0; visible <= wide; visible++) {
    for (size_t r = 0; r < kernels->block_rows; r++) reference.visible[r] = visible;
    softmax_run(kernels, &reference, true);
    const size_t panels = (visible + kernels->block_columns - 1) / kernels->block_columns;
    const bool full = visible > 0 && visible % kernels->block_columns == 0;
    for (size_t width = (panels ? panels : 1) * kernels->block_columns; width <= wide;
         width += kernels->block_columns) {
      SoftmaxCall call = reference;
      call.width = width;
      call.rows = 1 + visible % kernels->block_rows;
      call.scores = new_packed(kernels->block_rows * call.stride);
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

void check_softmax_ragged(const Kernels *kernels) {
  check_softmax_sizes(kernels, true);
  check_softmax_poison(kernels, true);
  check_ragged_bits(kernels);
}
