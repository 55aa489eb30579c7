/* kernel_unpacked.c - checks unpacked_scores and unpacked_sum: the bits of packing first, from
 * row-major keys and values.
 *
 * The last key or value ends where a page without access begins, and what lies between rows is NaN.
 * Rows to be prefetched stand in that page: a prefetch may name any address, a read may not.
 */
#include "tests/kernels/kernel_checks.h"

#include <string.h>

/* Rows of `floats` elements, `stride` apart; a stride of 0 repeats a row, a small one overlaps
 * them. */
typedef struct Rows {
  float *data;
  size_t count, floats, stride, extent;
} Rows;

#define STRIDES 4

static Rows rows_new(uint64_t seed, size_t count, size_t floats, size_t kind) {
  const size_t strides[STRIDES] = {floats, floats + 5, 0, (floats + 1) / 2};
  Rows rows = {.count = count, .floats = floats, .stride = strides[kind]};
  rows.extent = count ? (count - 1) * rows.stride + floats : 0;
  rows.data = fenced_new(rows.extent);
  for (size_t j = 0; j < count; j++)
    fill_random(seed + j, 1.0f, rows.data + j * rows.stride, floats);
  return rows;
}

static void rows_free(Rows *rows) {
  fenced_free(rows->data, rows->extent);
}

/* The rows to prefetch: none, the rows themselves, or as many rows that no one may read. */
#define AHEADS 3

static KernelAhead ahead_of(const Rows *rows, size_t kind) {
  const float *const starts[AHEADS] = {NULL, rows->data, rows->data + rows->extent};
  return (KernelAhead){starts[kind], kind ? rows->stride : 0, kind ? rows->floats : 0};
}

static size_t round_up(size_t count, size_t step) {
  return (count + step - 1) / step * step;
}

/* ---- unpacked_scores ---- */

/* One block of packed queries against row-major keys, and the scores that packing the keys
 * gives. */
typedef struct ScoreCall {
  size_t depth, width, stride; /* width: the keys rounded up to whole register blocks */
  Rows keys;
  float *query, *expected;
} ScoreCall;

static ScoreCall score_call_new(const Kernels *kernels, size_t keys, size_t depth, size_t kind) {
  const size_t W = kernels->block_columns, P = KERNEL_PANEL;
  ScoreCall call = {.depth = depth, .width = round_up(keys, W)};
  call.stride = call.width + W;
  call.keys = rows_new(keys + depth, keys, depth, kind);
  call.query = new_packed(depth * kernels->block_rows);
  call.expected = new_packed(kernels->block_rows * call.stride);
  fill_random(depth, 1.0f, call.query, depth * kernels->block_rows);
  float *const packed = new_packed(round_up(keys, P) * depth);
  for (size_t j = 0; j < keys; j += P)
    kernels->pack_keys(keys - j < P ? keys - j : P, depth, call.keys.data + j * call.keys.stride,
                       call.keys.stride, packed + j * depth);
  kernels->scores(kernels->block_rows, depth, call.width, call.query, packed, call.expected,
                  call.stride);
  guarded_free(packed, "packed keys");
  return call;
}

static void score_call_free(ScoreCall *call) {
  guarded_free(call->query, "query");
  guarded_free(call->expected, "expected scores");
  rows_free(&call->keys);
}

static void compare_direct_scores(const Kernels *kernels, const ScoreCall *call, size_t rows,
                                  const float *scores) {
  for (size_t r = 0; r < kernels->block_rows; r++) {
    for (size_t j = 0; j < call->stride; j++) {
      const size_t at = r * call->stride + j;
      const float expected = r >= rows || j >= call->width ? untouched_float()
                             : j >= call->keys.count       ? 0.0f
                                                           : call->expected[at];
      if (!same_float(scores[at], expected))
        fail_kernel(kernels, "score", r, j, (double)scores[at], (double)expected);
    }
  }
}

static void check_score_call(const Kernels *kernels, const ScoreCall *call) {
  for (size_t rows = 1; rows <= kernels->block_rows; rows++) {
    float *const scores = new_packed(kernels->block_rows * call->stride);
    kernels->unpacked_scores(rows, call->depth, call->keys.count, call->query, call->keys.data,
                             call->keys.stride, scores, call->stride,
                             ahead_of(&call->keys, (rows + call->keys.count) % AHEADS));
    compare_direct_scores(kernels, call, rows, scores);
    guarded_free(scores, "scores");
  }
}

void check_unpacked_scores(const Kernels *kernels) {
  static const size_t depths[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 80, 128, 129};
  for (size_t keys = 0; keys <= 2 * kernels->block_columns + 3; keys++) {
    for (size_t d = 0; d < COUNT_OF(depths); d++) {
      for (size_t kind = 0; kind < STRIDES; kind++) {
        ScoreCall call = score_call_new(kernels, keys, depths[d], kind);
        check_score_call(kernels, &call);
        score_call_free(&call);
      }
    }
  }
}

/* ---- unpacked_sum ---- */

/* Weights of all rows against row-major values, and the sums that packing the values gives. */
typedef struct SumCall {
  size_t width, weight_stride,
      sum_stride; /* width: the columns rounded up to whole register blocks */
  Rows values;
  float *weights, *before, *expected;
  float rescale[KERNEL_MAX_ROWS];
} SumCall;

static void expect_sums(const Kernels *kernels, SumCall *call) {
  const size_t P = KERNEL_PANEL, keys = call->values.count, columns = call->values.floats;
  float *const packed = new_packed(round_up(columns, P) * keys);
  for (size_t c = 0; c < columns; c += P)
    kernels->pack_values(keys, columns - c < P ? columns - c : P, call->values.data + c,
                         call->values.stride, packed + c * keys);
  memcpy(call->expected, call->before, kernels->block_rows * call->sum_stride * sizeof(float));
  kernels->weighted_sum(kernels->block_rows, keys, call->width, call->weights, call->weight_stride,
                        packed, keys * P, call->rescale, call->expected, call->sum_stride);
  guarded_free(packed, "packed values");
}

static SumCall sum_call_new(const Kernels *kernels, size_t keys, size_t columns, size_t kind) {
  const size_t W = kernels->block_columns, R = kernels->block_rows;
  SumCall call = {.width = round_up(columns, W), .weight_stride = round_up(keys, W) + W};
  call.sum_stride = call.width + W;
  call.values = rows_new(keys + columns, keys, columns, kind);
  call.weights = new_packed(R * call.weight_stride);
  call.before = new_packed(R * call.sum_stride);
  call.expected = new_packed(R * call.sum_stride);
  for (size_t r = 0; r < R; r++) {
    float *const sums = call.before + r * call.sum_stride;
    fill_random(3 * r, 1.0f, call.weights + r * call.weight_stride, keys);
    fill_random(3 * r + 1, 1.0f, sums, columns);
    for (size_t c = columns; c < call.width; c++) sums[c] = 0.0f;
    call.rescale[r] = 0.25f * (float)(r % 5);
  }
  expect_sums(kernels, &call);
  return call;
}

static void sum_call_free(SumCall *call) {
  guarded_free(call->weights, "weights");
  guarded_free(call->before, "sums before");
  guarded_free(call->expected, "expected sums");
  rows_free(&call->values);
}

/* Rows that are not of the call, and columns behind the last register block, stay as they were. */
static void compare_direct_sums(const Kernels *kernels, const SumCall *call, size_t rows,
                                const float *sums) {
  for (size_t r = 0; r < kernels->block_rows; r++) {
    for (size_t c = 0; c < call->sum_stride; c++) {
      const size_t at = r * call->sum_stride + c;
      const float expected = r >= rows || c >= call->width ? call->before[at]
                             : c >= call->values.floats    ? 0.0f
                                                           : call->expected[at];
      if (!same_float(sums[at], expected))
        fail_kernel(kernels, "sum", r, c, (double)sums[at], (double)expected);
    }
  }
}

static void check_sum_call(const Kernels *kernels, const SumCall *call) {
  const size_t floats = kernels->block_rows * call->sum_stride;
  for (size_t rows = 1; rows <= kernels->block_rows; rows++) {
    float *const sums = new_packed(floats);
    memcpy(sums, call->before, floats * sizeof *sums);
    kernels->unpacked_sum(rows, call->values.count, call->values.floats, call->weights,
                          call->weight_stride, call->values.data, call->values.stride,
                          call->rescale, sums, call->sum_stride,
                          ahead_of(&call->values, (rows + call->values.floats) % AHEADS));
    compare_direct_sums(kernels, call, rows, sums);
    guarded_free(sums, "sums");
  }
}

/* Every number of columns around the vectors and register blocks, and those around whole strips of
 * them. */
void check_unpacked_sum(const Kernels *kernels) {
  static const size_t counts[] = {0, 1, 2, 3, 7, 33, 64, 128};
  static const size_t wide[] = {80, 95, 96, 97, 127, 128, 129, 160, 255, 256, 257, 300};
  const size_t narrow = 2 * kernels->block_columns + 3;
  for (size_t k = 0; k < COUNT_OF(counts); k++) {
    for (size_t c = 0; c < narrow + COUNT_OF(wide); c++) {
      for (size_t kind = 0; kind < STRIDES; kind++) {
        const size_t columns = c < narrow ? c + 1 : wide[c - narrow];
        SumCall call = sum_call_new(kernels, counts[k], columns, kind);
        check_sum_call(kernels, &call);
        sum_call_free(&call);
      }
    }
  }
}
