/* kernel_cases.c - one function for each family: a call with representative operands, and its work.
 *
 * Operands are small positive numbers and every kernel that works in place has a fixed point, so
 * that after millions of calls no value is denormal, infinite or NaN: weights of softmax stay in
 * [1/2, 1], sums of weighted_sum shrink by half as much as they grow.
 */
#include "bench/kernel_cases.h"

#include <stdlib.h>

#include "bench/allocation.h"
#include "bench/yardstick.h"
#include "bench/yardstick_kernels.h"
#include "size.h"

#define EXP2_FLOPS 17 /* 6 multiply-adds, 2 subtractions, addition, maximum, product */
#define SOFTMAX_FLOPS (EXP2_FLOPS + 3)    /* running maximum, shift, sum */
#define SCORE_MOD_FLOPS (EXP2_FLOPS + 24) /* tanh: two sides, a quotient; a distance; a bias */
#define EXP2_COUNT 4096
#define PEAK_ROUNDS 4096
#define READ_FLOATS ((size_t)16 << 20)
#define FILL 0x1p-6f

static size_t block_rows(const KernelCase *self, const Kernels *kernels) {
  return self->rows ? self->rows : kernels->block_rows;
}

/* Columns or keys of whole register blocks. */
static size_t whole_blocks(size_t count, const Kernels *kernels) {
  return size_round_up(count, kernels->block_columns);
}

/* The next `floats` of far memory, with as much again behind them to be prefetched. */
static const float *next_piece(KernelData *data, size_t floats) {
  if (data->used + 2 * floats > data->far_floats) data->used = 0;
  const float *const piece = data->far + data->used;
  data->used += floats;
  return piece;
}

static KernelWork pack_keys(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t D = self->depth, P = KERNEL_PANEL;
  const float *const key = next_piece(data, KERNEL_KEYS * D);
  for (size_t j = 0; j < KERNEL_KEYS; j += P) {
    kernels->pack_keys(size_min(P, KERNEL_KEYS - j), D, key + j * D, D, data->near->keys + j * D);
  }
  return (KernelWork){.bytes = (double)(KERNEL_KEYS * D * sizeof(float))};
}

static KernelWork pack_values(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t D = self->depth, P = KERNEL_PANEL;
  const float *const value = next_piece(data, KERNEL_KEYS * D);
  for (size_t c = 0; c < D; c += P) {
    kernels->pack_values(KERNEL_KEYS, size_min(P, D - c), value + c, D,
                         data->near->values + c * KERNEL_KEYS);
  }
  return (KernelWork){.bytes = (double)(KERNEL_KEYS * D * sizeof(float))};
}

static KernelWork pack_queries(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t D = self->depth, rows = block_rows(self, kernels);
  const float *query[KERNEL_MAX_ROWS];
  const float *const first = next_piece(data, rows * D);
  for (size_t r = 0; r < rows; r++) query[r] = first + r * D;
  kernels->pack_queries(rows, D, query, 1.0f, data->near->query);
  return (KernelWork){.bytes = (double)(rows * D * sizeof(float))};
}

static KernelWork scores(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = block_rows(self, kernels), width = whole_blocks(KERNEL_KEYS, kernels);
  kernels->scores(rows, self->depth, width, data->near->query, data->near->keys, data->near->scores,
                  width);
  return (KernelWork){.flops = 2.0 * (double)(rows * self->depth * KERNEL_KEYS)};
}

static KernelWork softmax_full(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = block_rows(self, kernels);
  const size_t width = whole_blocks(KERNEL_KEYS, kernels);
  KernelNear *const near = data->near;
  kernels->softmax_full(rows, width, near->scores, width, near->row_max, near->row_sum,
                        near->rescale);
  return (KernelWork){.flops = (double)(SOFTMAX_FLOPS * rows * width)};
}

/* The diagonal tile: each row sees one key more than the one before, the last all of them. */
static KernelWork softmax_ragged(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = block_rows(self, kernels);
  const size_t width = whole_blocks(KERNEL_KEYS, kernels);
  KernelNear *const near = data->near;
  size_t visible[KERNEL_MAX_ROWS], seen = 0;
  for (size_t r = 0; r < rows; r++) {
    visible[r] = KERNEL_KEYS - rows + 1 + r;
    seen += visible[r];
  }
  kernels->softmax_ragged(rows, width, NULL, visible, near->scores, width, near->row_max,
                          near->row_sum, near->rescale);
  return (KernelWork){.flops = (double)(SOFTMAX_FLOPS * seen)};
}

/* Softcap and bias together; the scores stay between 0 and the cap. */
static KernelWork score_mod(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const KernelScoreMod how = {.softcap = 50.0f,
                              .slope = 0x1p-8f,
                              .distance = KERNEL_KEYS,
                              .bias = data->near->values,
                              .bias_stride = 1};
  (void)self;
  kernels->score_mod(KERNEL_KEYS, &how, data->near->scores);
  return (KernelWork){.flops = (double)(SCORE_MOD_FLOPS * KERNEL_KEYS)};
}

static void halve(KernelNear *near) {
  for (size_t r = 0; r < KERNEL_MAX_ROWS; r++) near->rescale[r] = 0.5f;
}

static KernelWork weighted_sum(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = block_rows(self, kernels), width = whole_blocks(self->depth, kernels);
  KernelNear *const near = data->near;
  halve(near);
  kernels->weighted_sum(rows, KERNEL_KEYS, width, near->scores, whole_blocks(KERNEL_KEYS, kernels),
                        near->values, (size_t)KERNEL_KEYS * KERNEL_PANEL, near->rescale, near->sums,
                        width);
  return (KernelWork){.flops = 2.0 * (double)(rows * self->depth * KERNEL_KEYS)};
}

/* What a call on row-major keys or values does: it prefetches the piece behind its own. */
static KernelWork unpacked_work(const KernelCase *self, size_t rows) {
  const double elements = (double)(KERNEL_KEYS * self->depth);
  return (KernelWork){.flops = 2 * (double)rows * elements, .bytes = sizeof(float) * elements};
}

static KernelWork unpacked_scores(const KernelCase *self, const Kernels *kernels,
                                  KernelData *data) {
  const size_t D = self->depth, rows = block_rows(self, kernels);
  const float *const key = next_piece(data, KERNEL_KEYS * D);
  kernels->unpacked_scores(rows, D, KERNEL_KEYS, data->near->query, key, D, data->near->scores,
                           whole_blocks(KERNEL_KEYS, kernels),
                           (KernelAhead){key + KERNEL_KEYS * D, D, D});
  return unpacked_work(self, rows);
}

static KernelWork unpacked_sum(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t D = self->depth, rows = block_rows(self, kernels);
  const float *const value = next_piece(data, KERNEL_KEYS * D);
  KernelNear *const near = data->near;
  halve(near);
  kernels->unpacked_sum(rows, KERNEL_KEYS, D, near->scores, whole_blocks(KERNEL_KEYS, kernels),
                        value, D, near->rescale, near->sums, whole_blocks(D, kernels),
                        (KernelAhead){value + KERNEL_KEYS * D, D, D});
  return unpacked_work(self, rows);
}

static KernelWork project(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const float *const weight = next_piece(data, (size_t)KERNEL_IN * KERNEL_OUT);
  const double elements = (double)KERNEL_IN * KERNEL_OUT;
  kernels->project(self->rows, KERNEL_IN, KERNEL_OUT, data->near->x, KERNEL_IN, weight, KERNEL_OUT,
                   data->near->y, KERNEL_OUT);
  return (KernelWork){.flops = 2 * (double)self->rows * elements,
                      .bytes = sizeof(float) * elements};
}

static KernelWork pack_key_pairs(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t D = self->depth, P = KERNEL_PANEL;
  const float *const key = next_piece(data, KERNEL_KEYS * D);
  for (size_t j = 0; j < KERNEL_KEYS; j += P) {
    kernels->pack_key_pairs(P, D, key + j * D, D, self->number, self->terms, KERNEL_KEYS * D / 2,
                            data->near->pairs + j * D / 2);
  }
  return (KernelWork){.bytes = (double)(KERNEL_KEYS * D * sizeof(float))};
}

static KernelWork pack_value_pairs(const KernelCase *self, const Kernels *kernels,
                                   KernelData *data) {
  const size_t D = self->depth, P = KERNEL_PANEL;
  const float *const value = next_piece(data, KERNEL_KEYS * D);
  for (size_t c = 0; c < D; c += P) {
    kernels->pack_value_pairs(KERNEL_KEYS, P, value + c, D, self->number, self->terms,
                              KERNEL_KEYS * D / 2, data->near->pairs + c * KERNEL_KEYS / 2);
  }
  return (KernelWork){.bytes = (double)(KERNEL_KEYS * D * sizeof(float))};
}

/* Rows that lie in cache, here and below. */
static KernelWork pack_row_pairs(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = kernels->gemm_bf16_rows, width = KERNEL_KEYS;
  const float *row[KERNEL_MAX_ROWS];
  for (size_t r = 0; r < rows; r++) row[r] = data->near->scores + r * width;
  kernels->pack_row_pairs(rows, width, row, 1.0f, self->number, self->terms,
                          KERNEL_MAX_ROWS * width / 2, width / 2, data->near->row_pairs);
  return (KernelWork){.flops = (double)(rows * width * 2 * self->terms)};
}

static KernelWork pack_weight_pairs(const KernelCase *self, const Kernels *kernels,
                                    KernelData *data) {
  const size_t rows = kernels->gemm_bf16_rows, width = KERNEL_KEYS;
  kernels->pack_weight_pairs(rows, width, data->near->scores, width, self->terms,
                             KERNEL_MAX_ROWS * width / 2, width / 2, data->near->row_pairs);
  return (KernelWork){.flops = (double)(rows * width * 2 * self->terms)};
}

static KernelWork widen(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t term = KERNEL_PANEL * KERNEL_DEPTH / 2;
  kernels->widen(KERNEL_DEPTH / 2,
                 (KernelPairs){data->near->pairs, self->terms, term, 0, self->number},
                 data->near->keys);
  return (KernelWork){.flops = (double)(KERNEL_PANEL * KERNEL_DEPTH * self->terms)};
}

/* A product of rows and 128 keys, or columns, in cache. */
static KernelWork gemm_bf16(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = self->rows ? self->rows : kernels->gemm_bf16_rows, pairs = self->depth / 2;
  KernelNear *const near = data->near;
  const KernelPairs a = {near->row_pairs, self->terms, KERNEL_MAX_ROWS * pairs, pairs, KERNEL_BF16};
  const KernelPairs b = {near->pairs, self->terms, KERNEL_KEYS * pairs, KERNEL_PANEL * pairs,
                         KERNEL_BF16};
  halve(near);
  kernels->gemm_bf16(rows, pairs, KERNEL_KEYS, self->terms, a, b, near->rescale, near->sums,
                     KERNEL_KEYS);
  return (KernelWork){.flops = 2.0 * (double)(rows * self->depth * KERNEL_KEYS)};
}

/* gemm_bf16 and then release: every call pays for what other calls keep. */
static KernelWork release(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const KernelWork work = gemm_bf16(self, kernels, data);
  kernels->release();
  return work;
}

/* One term of W as packed pairs, out of memory. */
static KernelPairs next_weight(KernelNumber number, KernelData *data) {
  const float *const far = next_piece(data, (size_t)KERNEL_IN * KERNEL_OUT / 2);
  return (KernelPairs){(const uint32_t *)(const void *)far, 1, 0, KERNEL_PANEL * KERNEL_IN / 2,
                       number};
}

static KernelWork weight_work(const KernelCase *self) {
  const double elements = (double)KERNEL_IN * KERNEL_OUT;
  return (KernelWork){.flops = 2 * (double)self->rows * elements,
                      .bytes = sizeof(uint16_t) * elements};
}

static KernelWork gemm_bf16_weight(const KernelCase *self, const Kernels *kernels,
                                   KernelData *data) {
  const KernelPairs a = {data->near->row_pairs, 1, 0, KERNEL_IN / 2, KERNEL_BF16};
  kernels->gemm_bf16(self->rows, KERNEL_IN / 2, KERNEL_OUT, 1, a, next_weight(KERNEL_BF16, data),
                     NULL, data->near->y, KERNEL_OUT);
  return weight_work(self);
}

static KernelWork gemm_mixed(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const size_t rows = block_rows(self, kernels), pairs = self->depth / 2;
  KernelNear *const near = data->near;
  const KernelPairs b = {near->pairs, 1, 0, KERNEL_PANEL * pairs, self->number};
  halve(near);
  kernels->gemm_mixed(rows, self->depth, KERNEL_KEYS, near->scores, self->depth, b, near->rescale,
                      near->sums, KERNEL_KEYS);
  return (KernelWork){.flops = 2.0 * (double)(rows * self->depth * KERNEL_KEYS)};
}

static KernelWork gemm_mixed_weight(const KernelCase *self, const Kernels *kernels,
                                    KernelData *data) {
  kernels->gemm_mixed(self->rows, KERNEL_IN, KERNEL_OUT, data->near->x, KERNEL_IN,
                      next_weight(self->number, data), NULL, data->near->y, KERNEL_OUT);
  return weight_work(self);
}

static KernelWork exp2_of_weights(const KernelCase *self, const Kernels *kernels,
                                  KernelData *data) {
  (void)self;
  kernels->exp2(EXP2_COUNT, data->near->x, data->near->y);
  return (KernelWork){.flops = (double)KERNEL_EXP2_FLOPS * EXP2_COUNT};
}

static KernelWork peak(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  (void)self;
  return (KernelWork){.flops =
                          yardstick_kernels(kernels->isa)->peak(PEAK_ROUNDS, data->near->sums)};
}

static KernelWork read_streams(const KernelCase *self, const Kernels *kernels, KernelData *data) {
  const float *const piece = next_piece(data, READ_FLOATS);
  data->near->sums[0] = yardstick_kernels(kernels->isa)->read(piece, READ_FLOATS, self->streams);
  return (KernelWork){.bytes = (double)(READ_FLOATS * sizeof(float))};
}

static const KernelCase cases[] = {
    {"pack_keys", "128 keys, D 64", pack_keys, .depth = 64},
    {"pack_keys", "128 keys, D 128", pack_keys, .depth = 128},
    {"pack_values", "128 keys, Dv 64", pack_values, .depth = 64},
    {"pack_values", "128 keys, Dv 128", pack_values, .depth = 128},
    {"pack_queries", "R rows, D 64", pack_queries, .depth = 64},
    {"pack_queries", "R rows, D 128", pack_queries, .depth = 128},
    {"scores", "R rows, D 64, 128 keys", scores, .depth = 64},
    {"scores", "R rows, D 128, 128 keys", scores, .depth = 128},
    {"score_mod", "1 row, 128 keys", score_mod, .rows = 1},
    {"softmax_full", "R rows, 128 keys", softmax_full, .rows = 0},
    {"softmax_ragged", "R rows, 128 keys", softmax_ragged, .rows = 0},
    {"weighted_sum", "R rows, 128 keys, Dv 64", weighted_sum, .depth = 64},
    {"weighted_sum", "R rows, 128 keys, Dv 128", weighted_sum, .depth = 128},
    {"unpacked_scores", "1 row, D 64, 128 keys", unpacked_scores, .depth = 64, .rows = 1},
    {"unpacked_scores", "1 row, D 128, 128 keys", unpacked_scores, .depth = 128, .rows = 1},
    {"unpacked_scores", "R rows, D 64, 128 keys", unpacked_scores, .depth = 64},
    {"unpacked_scores", "R rows, D 128, 128 keys", unpacked_scores, .depth = 128},
    {"unpacked_sum", "1 row, 128 keys, Dv 64", unpacked_sum, .depth = 64, .rows = 1},
    {"unpacked_sum", "1 row, 128 keys, Dv 128", unpacked_sum, .depth = 128, .rows = 1},
    {"unpacked_sum", "R rows, 128 keys, Dv 64", unpacked_sum, .depth = 64},
    {"unpacked_sum", "R rows, 128 keys, Dv 128", unpacked_sum, .depth = 128},
    {"project", "1 row, 4096 x 12288", project, .rows = 1},
    {"project", "4 rows, 4096 x 12288", project, .rows = 4},
    {"project", "16 rows, 4096 x 12288", project, .rows = 16},
    {"pack_key_pairs", "D 128, 1 term", pack_key_pairs, .depth = 128, .terms = 1},
    {"pack_key_pairs", "D 128, 2 terms", pack_key_pairs, .depth = 128, .terms = 2},
    {"pack_key_pairs", "D 128, 3 terms", pack_key_pairs, .depth = 128, .terms = 3},
    {"pack_key_pairs", "D 128, fp16", pack_key_pairs, .depth = 128, .terms = 1,
     .number = KERNEL_FP16},
    {"pack_value_pairs", "Dv 128, 1 term", pack_value_pairs, .depth = 128, .terms = 1},
    {"pack_value_pairs", "Dv 128, 2 terms", pack_value_pairs, .depth = 128, .terms = 2},
    {"pack_value_pairs", "Dv 128, 3 terms", pack_value_pairs, .depth = 128, .terms = 3},
    {"pack_value_pairs", "Dv 128, fp16", pack_value_pairs, .depth = 128, .terms = 1,
     .number = KERNEL_FP16},
    {"pack_row_pairs", "R rows of 128, 1 term", pack_row_pairs, .terms = 1},
    {"pack_row_pairs", "R rows of 128, 2 terms", pack_row_pairs, .terms = 2},
    {"pack_row_pairs", "R rows of 128, 3 terms", pack_row_pairs, .terms = 3},
    {"pack_row_pairs", "R rows of 128, fp16", pack_row_pairs, .terms = 1, .number = KERNEL_FP16},
    {"pack_weight_pairs", "R rows of 128, 1 term", pack_weight_pairs, .terms = 1},
    {"pack_weight_pairs", "R rows of 128, 2 terms", pack_weight_pairs, .terms = 2},
    {"pack_weight_pairs", "R rows of 128, 3 terms", pack_weight_pairs, .terms = 3},
    {"widen", "32 keys, D 128, 1 term", widen, .terms = 1},
    {"widen", "32 keys, D 128, 2 terms", widen, .terms = 2},
    {"widen", "32 keys, D 128, 3 terms", widen, .terms = 3},
    {"widen", "32 keys, D 128, fp16", widen, .terms = 1, .number = KERNEL_FP16},
    {"gemm_bf16", "R rows, D 64, 1 term", gemm_bf16, .depth = 64, .terms = 1},
    {"gemm_bf16", "R rows, D 64, 2 terms", gemm_bf16, .depth = 64, .terms = 2},
    {"gemm_bf16", "R rows, D 64, 3 terms", gemm_bf16, .depth = 64, .terms = 3},
    {"gemm_bf16", "R rows, D 128, 1 term", gemm_bf16, .depth = 128, .terms = 1},
    {"gemm_bf16", "R rows, D 128, 2 terms", gemm_bf16, .depth = 128, .terms = 2},
    {"gemm_bf16", "R rows, D 128, 3 terms", gemm_bf16, .depth = 128, .terms = 3},
    {"gemm_bf16", "1 row, 4096 x 12288", gemm_bf16_weight, .rows = 1},
    {"gemm_bf16", "4 rows, 4096 x 12288", gemm_bf16_weight, .rows = 4},
    {"gemm_bf16", "8 rows, 4096 x 12288", gemm_bf16_weight, .rows = 8},
    {"release", "R rows, D 64, 1 term", release, .depth = 64, .terms = 1},
    {"gemm_mixed", "R rows, D 128, 128 keys", gemm_mixed, .depth = 128},
    {"gemm_mixed", "R rows, D 128, fp16", gemm_mixed, .depth = 128, .number = KERNEL_FP16},
    {"gemm_mixed", "1 row, 4096 x 12288", gemm_mixed_weight, .rows = 1},
    {"gemm_mixed", "1 row of fp16 weights", gemm_mixed_weight, .rows = 1, .number = KERNEL_FP16},
    {"gemm_mixed", "4 rows, 4096 x 12288", gemm_mixed_weight, .rows = 4},
    {"gemm_mixed", "8 rows, 4096 x 12288", gemm_mixed_weight, .rows = 8},
    {"exp2", "4096 numbers", exp2_of_weights, .rows = 0},
    {"peak", "registers", peak, .rows = 0},
    {"read", "1 stream", read_streams, .streams = 1},
    {"read", "2 streams", read_streams, .streams = 2},
    {"read", "4 streams", read_streams, .streams = 4},
    {"read", "8 streams", read_streams, .streams = 8},
};

const char *timed_family_at(size_t index) {
#define NAME_OF(name, result, arguments) #name,
  static const char *const yardsticks[] = {YARDSTICK_KERNELS(NAME_OF)};
#undef NAME_OF
  const char *const *family = kernels_families();
  for (; *family; family++, index--)
    if (index == 0) return *family;
  return index < sizeof yardsticks / sizeof *yardsticks ? yardsticks[index] : NULL;
}

size_t kernel_case_count(void) {
  return sizeof cases / sizeof *cases;
}

const KernelCase *kernel_case_at(size_t index) {
  return index < kernel_case_count() ? &cases[index] : NULL;
}

static void fill(float *data, size_t floats, float value) {
  for (size_t i = 0; i < floats; i++) data[i] = value;
}

bool kernel_data_open(size_t cache_bytes, double seconds, KernelData *data) {
  const size_t largest = 2 * (size_t)KERNEL_IN * KERNEL_OUT;
  const size_t wanted = yardstick_read_bytes(cache_bytes, seconds) / sizeof(float);
  data->far_floats = size_max(wanted, largest);
  data->used = 0;
  data->far = allocate_floats((double)data->far_floats);
  data->near = (KernelNear *)allocate_floats(sizeof(KernelNear) / (double)sizeof(float));
  if (!data->far || !data->near) {
    kernel_data_close(data);
    return false;
  }
  fill(data->far, data->far_floats, FILL);
  fill((float *)data->near, sizeof(KernelNear) / sizeof(float), FILL);
  /* exp2 is asked for x <= 0 only. */
  for (size_t i = 0; i < EXP2_COUNT; i++) data->near->x[i] = -FILL * (float)(i % 1024);
  return true;
}

void kernel_data_close(KernelData *data) {
  free(data->near);
  free(data->far);
  *data = (KernelData){0};
}
