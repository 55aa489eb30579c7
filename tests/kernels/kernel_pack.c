/* kernel_pack.c - checks pack_keys, pack_values and pack_queries element by element. */
#include "tests/kernels/kernel_checks.h"

#include <stdlib.h>

void check_pack_keys(const Kernels *kernels) {
  static const size_t depths[] = {1, 3, 7, 8, 15, 16, 17, 31, 33, 64, 80, 128};
  for (size_t keys = 1; keys <= KERNEL_PANEL; keys++) {
    for (size_t k = 0; k < COUNT_OF(depths); k++) {
      const size_t depth = depths[k], stride = depth + keys % 3 * 5;
      float *const source = new_random(keys, 1.0f, (keys - 1) * stride + depth);
      float *const panel = new_packed(depth * KERNEL_PANEL);
      kernels->pack_keys(keys, depth, source, stride, panel);
      for (size_t d = 0; d < depth; d++)
        for (size_t j = 0; j < KERNEL_PANEL; j++) {
          const float expected = j < keys ? source[j * stride + d] : 0.0f;
          const float got = panel[d * KERNEL_PANEL + j];
          if (!same_float(got, expected))
            fail_kernel(kernels, "element", d, j, (double)got, (double)expected);
        }
      guarded_free(panel, "packed keys");
      free(source);
    }
  }
}

void check_pack_values(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 5, 31, 64, 67};
  for (size_t columns = 1; columns <= KERNEL_PANEL; columns++) {
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
      const size_t keys = counts[k], stride = columns + columns % 4 * 3;
      float *const source = new_random(columns, 1.0f, keys ? (keys - 1) * stride + columns : 0);
      float *const panel = new_packed(keys * KERNEL_PANEL);
      kernels->pack_values(keys, columns, source, stride, panel);
      for (size_t j = 0; j < keys; j++)
        for (size_t c = 0; c < KERNEL_PANEL; c++) {
          const float expected = c < columns ? source[j * stride + c] : 0.0f;
          const float got = panel[j * KERNEL_PANEL + c];
          if (!same_float(got, expected))
            fail_kernel(kernels, "element", j, c, (double)got, (double)expected);
        }
      guarded_free(panel, "packed values");
      free(source);
    }
  }
}

/* Rows at unrelated addresses; packed rows beyond the last stay as they were. */
void check_pack_queries(const Kernels *kernels) {
  static const size_t depths[] = {1, 3, 8, 16, 17, 64, 80, 129};
  const float scale = 0.18033688f;
  for (size_t rows = 1; rows <= kernels->block_rows; rows++) {
    for (size_t k = 0; k < COUNT_OF(depths); k++) {
      const size_t depth = depths[k];
      float *source[KERNEL_MAX_ROWS] = {0};
      const float *query[KERNEL_MAX_ROWS] = {0};
      for (size_t r = 0; r < rows; r++) query[r] = source[r] = new_random(r + 1, 1.0f, depth);
      float *const packed = new_packed(depth * kernels->block_rows);
      kernels->pack_queries(rows, depth, query, scale, packed);
      for (size_t d = 0; d < depth; d++)
        for (size_t r = 0; r < kernels->block_rows; r++) {
          const float expected = r < rows ? scale * source[r][d] : untouched_float();
          const float got = packed[d * kernels->block_rows + r];
          if (!same_float(got, expected))
            fail_kernel(kernels, "element", d, r, (double)got, (double)expected);
        }
      guarded_free(packed, "packed queries");
      for (size_t r = 0; r < rows; r++) free(source[r]);
    }
  }
}
