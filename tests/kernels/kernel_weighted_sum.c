/* kernel_weighted_sum.c - checks weighted_sum against sums in double, and the same bits for any
 * number of rows. */
#include "tests/kernels/kernel_checks.h"

#include <math.h>
#include <string.h>

typedef struct WeightedSumCall {
  size_t rows, keys, width; /* width: of the sums */
  size_t weight_stride, panel_stride, sum_stride;
  float *weights, *values, *before; /* before: the sums that the call starts from */
  float rescale[KERNEL_MAX_ROWS];
} WeightedSumCall;

static WeightedSumCall weighted_sum_new(const Kernels *kernels, size_t keys, size_t width) {
  const size_t W = kernels->block_columns, panels = (width + KERNEL_PANEL - 1) / KERNEL_PANEL;
  WeightedSumCall call = {.rows = kernels->block_rows,
                          .keys = keys,
                          .width = width,
                          .weight_stride = (keys + W) / W * W,
                          .panel_stride = (keys + 2) * KERNEL_PANEL,
                          .sum_stride = width + W};
  call.weights = new_packed(kernels->block_rows * call.weight_stride);
  call.values = new_packed(panels * call.panel_stride);
  call.before = new_packed(kernels->block_rows * call.sum_stride);
  for (size_t r = 0; r < kernels->block_rows; r++) {
    fill_random(3 * r, 1.0f, call.weights + r * call.weight_stride, keys);
    fill_random(3 * r + 1, 1.0f, call.before + r * call.sum_stride, width);
    call.rescale[r] = 0.25f * (float)(r % 5);
  }
  for (size_t p = 0; p < panels; p++)
    fill_random(3 * p + 2, 1.0f, call.values + p * call.panel_stride, keys * KERNEL_PANEL);
  return call;
}

static void weighted_sum_free(WeightedSumCall *call) {
  guarded_free(call->weights, "weights");
  guarded_free(call->values, "values");
  guarded_free(call->before, "sums before");
}

static float *weighted_sum_run(const Kernels *kernels, const WeightedSumCall *call, bool rescaled) {
  const size_t floats = kernels->block_rows * call->sum_stride;
  float *const sum = new_packed(floats);
  memcpy(sum, call->before, floats * sizeof *sum);
  kernels->weighted_sum(call->rows, call->keys, call->width, call->weights, call->weight_stride,
                        call->values, call->panel_stride, rescaled ? call->rescale : NULL, sum,
                        call->sum_stride);
  return sum;
}

static void compare_sums(const Kernels *kernels, const WeightedSumCall *call, bool rescaled,
                         const float *sum) {
  for (size_t r = 0; r < kernels->block_rows; r++) {
    for (size_t c = 0; c < call->sum_stride; c++) {
      const size_t at = r * call->sum_stride + c;
      if (r >= call->rows || c >= call->width) {
        if (!same_float(sum[at], call->before[at]))
          fail_kernel(kernels, "a gap", r, c, (double)sum[at], (double)call->before[at]);
        continue;
      }
      const size_t p = c / KERNEL_PANEL, column = c % KERNEL_PANEL;
      double expected = (double)call->before[at] * (rescaled ? (double)call->rescale[r] : 1.0);
      double size = fabs(expected);
      for (size_t j = 0; j < call->keys; j++) {
        const double product =
            (double)call->weights[r * call->weight_stride + j] *
            (double)call->values[p * call->panel_stride + j * KERNEL_PANEL + column];
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
void check_weighted_sum(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 3, 7, 16, 33, 64, 100};
  for (size_t k = 0; k < COUNT_OF(counts); k++) {
    for (size_t width = kernels->block_columns; width <= 3 * KERNEL_PANEL;
         width += kernels->block_columns) {
      WeightedSumCall call = weighted_sum_new(kernels, counts[k], width);
      for (int rescaled = 0; rescaled < 2; rescaled++) {
        call.rows = kernels->block_rows;
        float *const all = weighted_sum_run(kernels, &call, rescaled);
        for (size_t rows = 1; rows <= kernels->block_rows; rows++) {
          call.rows = rows;
          float *const sum = weighted_sum_run(kernels, &call, rescaled);
          compare_sums(kernels, &call, rescaled, sum);
          assert_memory_equal(sum, all, rows * call.sum_stride * sizeof *sum);
          guarded_free(sum, "sums");
        }
        guarded_free(all, "sums");
      }
      weighted_sum_free(&call);
    }
  }
}
