/* kernel_scores.c - checks scores against sums in double, and the same bits for any rows and
 * width. */
#include "tests/kernels/kernel_checks.h"

#include <math.h>

static void compare_scores(const Kernels *kernels, size_t rows, size_t depth, size_t width,
                           const float *query, const float *keys, const float *scores,
                           size_t stride) {
  for (size_t r = 0; r < kernels->block_rows; r++) {
    for (size_t c = 0; c < stride; c++) {
      const float got = scores[r * stride + c];
      if (r >= rows || c >= width) {
        if (!is_untouched(&got)) fail_kernel(kernels, "a gap", r, c, (double)got, NAN);
        continue;
      }
      const size_t p = c / KERNEL_PANEL, j = c % KERNEL_PANEL;
      double sum = 0.0, size = 0.0;
      for (size_t d = 0; d < depth; d++) {
        const double product = (double)query[d * kernels->block_rows + r] *
                               (double)keys[(p * depth + d) * KERNEL_PANEL + j];
        sum += product;
        size += fabs(product);
      }
      if (!is_close((double)got, sum, ((double)depth + 1.0) * FLOAT_UNIT * size))
        fail_kernel(kernels, "score", r, c, (double)got, sum);
    }
  }
}

/* Every number of rows and every width; a row has the same bits whatever they are. */
void check_scores(const Kernels *kernels) {
  static const size_t depths[] = {1, 2, 3, 16, 33, 64, 128};
  const size_t most = 3 * KERNEL_PANEL, stride = most + kernels->block_columns;
  for (size_t k = 0; k < COUNT_OF(depths); k++) {
    const size_t depth = depths[k];
    float *const query = new_packed(depth * kernels->block_rows);
    float *const keys = new_packed(depth * most);
    float *const all = new_packed(kernels->block_rows * stride);
    fill_random(depth, 1.0f, query, depth * kernels->block_rows);
    fill_random(depth + 100, 1.0f, keys, depth * most);
    kernels->scores(kernels->block_rows, depth, most, query, keys, all, stride);
    for (size_t rows = 1; rows <= kernels->block_rows; rows++) {
      for (size_t width = 0; width <= most; width += kernels->block_columns) {
        float *const scores = new_packed(kernels->block_rows * stride);
        kernels->scores(rows, depth, width, query, keys, scores, stride);
        compare_scores(kernels, rows, depth, width, query, keys, scores, stride);
        for (size_t r = 0; r < rows; r++)
          for (size_t c = 0; c < width; c++)
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
