/* test_layer_precisions.c - layers of published models in every precision, over weights in every
 * storage.
 *
 * In fp32 a layer over stored weights is the layer of the weights as they are stored: the oracle is
 * given those, rounded here, and the tolerance is that of fp32. In the precisions of bf16 the
 * oracle has the weights as they were, and the tolerance covers the rounding of products as well. A
 * token's output has the same bits in a prompt, in chunks of it, in a batch and on any number of
 * threads.
 */
#include "tests/support/full_layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "storage/storage.h"

#define TOKENS 26

/* ---- runs ---- */

static AttendContext *open_precise(Engine engine, AttendPrecision precision, size_t threads) {
  AttendSettings settings = engine_settings(engine, threads);
  settings.precision = precision;
  AttendContext *context = NULL;
  assert_int_equal(attend_open(&context, &settings), ATTEND_OK);
  return context;
}

static AttendWeights *pack_stored(AttendContext *context, const FullLayer *layer,
                                  AttendStorage storage) {
  AttendWeightSource source = full_layer_source(layer);
  AttendWeights *weights = NULL;
  source.storage = storage;
  assert_ok(context, attend_pack_weights(context, &layer->spec.shape, &source, &weights));
  return weights;
}

static float *run_whole(AttendContext *context, const FullLayer *layer,
                        const AttendWeights *weights, const float *x) {
  float *const y = guarded_new(TOKENS * layer->spec.shape.width * sizeof *y, 4);
  assert_ok(context,
            attend_layer_forward(context, weights, NULL, 1, TOKENS, x, &layer->options, y));
  return y;
}

/* ---- fp32 over stored weights ---- */

static void check_stored(size_t index, Engine engine, AttendStorage storage, const float *x) {
  FullLayer layer, rounded;
  char label[FULL_LABEL_SIZE];
  assert_true(full_layer_new(index, &layer) && full_layer_new(index, &rounded));
  full_layer_store(&rounded, storage);
  AttendContext *context = open_precise(engine, ATTEND_PRECISION_FP32, 2);
  AttendWeights *weights = pack_stored(context, &layer, storage);
  double *const expected = full_layer_expect(&rounded, TOKENS, x, NULL);
  float *const y = run_whole(context, &layer, weights, x);
  check_close(full_label(label, &layer, engine, attend_storage_name(storage)), y, expected,
              TOKENS * layer.spec.shape.width);
  guarded_free(y, "y");
  free(expected);
  attend_free_weights(&weights);
  attend_close(&context);
  full_layer_free(&layer);
  full_layer_free(&rounded);
}

/* Runs `check` for every layer of full_layer.c. */
static void for_each_layer(void (*check)(size_t index, const FullLayer *layer, const float *x)) {
  FullLayer layer;
  for (size_t index = 0; full_layer_new(index, &layer); index++) {
    float *const x = new_random(71, 1.0f, TOKENS * layer.spec.shape.width);
    check(index, &layer, x);
    free(x);
    full_layer_free(&layer);
  }
}

static void check_storages(size_t index, const FullLayer *layer, const float *x) {
  Engine engines[MAX_ENGINES];
  const size_t count = list_engines(engines);
  (void)layer;
  for (size_t e = 0; e < count; e++)
    for (int storage = ATTEND_STORAGE_FP32;
         engines[e].precision == ATTEND_PRECISION_FP32 && storage < ATTEND_STORAGE_COUNT; storage++)
      check_stored(index, engines[e], (AttendStorage)storage, x);
}

static void fp32_is_exact_over_any_storage(void **state) {
  (void)state;
  for_each_layer(check_storages);
}

/* ---- precisions of bf16 ---- */

/* Relative error of an operand in so many terms; of 0, a float. */
static double rounding(size_t terms) {
  static const double units[] = {0, 0x1p-9, 0x1p-18, 0};
  return units[terms];
}

/* By which share of its size bf16 may move an output: the relative errors of activation and weight
 * in each of four products, one behind the other. The scores (up to 16 in these layers) multiply
 * the errors of two of them; most of the sum averages out. */
static double allowed_share(AttendPrecision precision, AttendStorage storage) {
  return 32 * (2 * rounding(precision_terms(precision)) + storage_format(storage).rounding);
}

static void check_precision(const FullLayer *layer, Engine engine, AttendPrecision precision,
                            AttendStorage storage, const float *x, const double *expected) {
  const size_t floats = TOKENS * layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  AttendContext *context = open_precise(engine, precision, 2);
  AttendWeights *weights = pack_stored(context, layer, storage);
  float *const y = run_whole(context, layer, weights, x);
  double size = 0;
  for (size_t i = 0; i < floats; i++) size = fmax(size, fabs(expected[i]));
  const double share = allowed_share(precision, storage);
  for (size_t i = 0; i < floats; i++) {
    const double allowed = 2e-5 + (1e-5 + share) * size;
    if (!(fabs((double)y[i] - expected[i]) <= allowed))
      fail_msg("%s over %s: element %zu is %.9g, expected %.9g +- %.3g",
               full_label(label, layer, engine, attend_precision_name(precision)),
               attend_storage_name(storage), i, (double)y[i], expected[i], allowed);
  }
  guarded_free(y, "y");
  attend_free_weights(&weights);
  attend_close(&context);
}

static void for_each_precision(void (*check)(const FullLayer *layer, Engine engine,
                                             AttendPrecision precision, AttendStorage storage,
                                             const float *x, const double *expected),
                               const FullLayer *layer, const float *x, const double *expected) {
  AttendIsa isas[ATTEND_ISA_COUNT];
  const size_t count = list_isas(isas);
  for (size_t k = 0; k < count; k++)
    for (int precision = ATTEND_PRECISION_BF16X6; precision < ATTEND_PRECISION_COUNT; precision++)
      for (int storage = ATTEND_STORAGE_AUTO; storage < ATTEND_STORAGE_COUNT; storage++)
        check(layer, (Engine){ATTEND_PATH_TILED, isas[k], (AttendPrecision)precision},
              (AttendPrecision)precision, (AttendStorage)storage, x, expected);
}

static void check_precisions(size_t index, const FullLayer *layer, const float *x) {
  double *const expected = full_layer_expect(layer, TOKENS, x, NULL);
  (void)index;
  for_each_precision(check_precision, layer, x, expected);
  free(expected);
}

static void precisions_are_within_their_bounds(void **state) {
  (void)state;
  for_each_layer(check_precisions);
}

/* ---- the same bits ---- */

/* The prompt in chunks through a cache; a chunk of one token is a decode step. */
static void check_chunks(const FullLayer *layer, Engine engine, AttendPrecision precision,
                         AttendStorage storage, const float *x, const double *expected) {
  static const size_t chunks[] = {1, 7, 18};
  const size_t width = layer->spec.shape.width;
  char label[FULL_LABEL_SIZE];
  AttendContext *context = open_precise(engine, precision, 1);
  AttendWeights *weights = pack_stored(context, layer, storage);
  float *const y = new_bytes(TOKENS * width * sizeof *y);
  float *whole = NULL;
  (void)expected;
  for (size_t c = 0; c <= COUNT_OF(chunks); c++) {
    AttendContext *other = open_precise(engine, precision, 1 + c % 3);
    AttendCache *cache = cache_open(other, &layer->spec.shape, 1, TOKENS);
    const size_t step = c < COUNT_OF(chunks) ? chunks[c] : TOKENS;
    for (size_t first = 0; first < TOKENS; first += step) {
      const size_t count = TOKENS - first < step ? TOKENS - first : step;
      assert_ok(other, attend_layer_forward(other, weights, cache, 1, count, x + first * width,
                                            &layer->options, y + first * width));
    }
    if (!whole) {
      whole = new_bytes(TOKENS * width * sizeof *y);
      memcpy(whole, y, TOKENS * width * sizeof *y);
    } else if (memcmp(whole, y, TOKENS * width * sizeof *y) != 0) {
      fail_msg("%s over %s: chunks of %zu have other bits than chunks of 1",
               full_label(label, layer, engine, attend_precision_name(precision)),
               attend_storage_name(storage), step);
    }
    attend_close_cache(&cache);
    attend_close(&other);
  }
  free(whole);
  free(y);
  attend_free_weights(&weights);
  attend_close(&context);
}

static void check_bits(size_t index, const FullLayer *layer, const float *x) {
  if (index % 3 == 0) for_each_precision(check_chunks, layer, x, NULL);
}

static void chunks_and_threads_keep_the_bits(void **state) {
  (void)state;
  for_each_layer(check_bits);
}

/* ---- how much the weights take ---- */

static void weights_take_what_their_storage_takes(void **state) {
  (void)state;
  static const size_t bytes[ATTEND_STORAGE_COUNT] = {0, 4, 2, 4, 6, 2};
  static const AttendStorage own[ATTEND_PRECISION_COUNT] = {
      ATTEND_STORAGE_FP32, ATTEND_STORAGE_BF16X3, ATTEND_STORAGE_BF16X2, ATTEND_STORAGE_BF16};
  FullLayer layer;
  assert_true(full_layer_new(0, &layer)); /* 64 wide, 192 columns: no padding */
  const Engine engine = {ATTEND_PATH_TILED, ATTEND_ISA_AUTO, ATTEND_PRECISION_FP32};
  for (int precision = 0; precision < ATTEND_PRECISION_COUNT; precision++) {
    AttendContext *context = open_precise(engine, (AttendPrecision)precision, 1);
    for (int storage = 0; storage < ATTEND_STORAGE_COUNT; storage++) {
      AttendWeights *weights = pack_stored(context, &layer, (AttendStorage)storage);
      const size_t each = bytes[storage ? storage : (int)own[precision]], numbers = 64 * (192 + 64);
      const size_t taken = attend_weights_bytes(weights);
      if (taken < each * numbers || taken > each * numbers + 4096)
        fail_msg("%zu numbers of %zu bytes take %zu", numbers, each, taken);
      attend_free_weights(&weights);
    }
    attend_close(&context);
  }
  full_layer_free(&layer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fp32_is_exact_over_any_storage),
      cmocka_unit_test(precisions_are_within_their_bounds),
      cmocka_unit_test(chunks_and_threads_keep_the_bits),
      cmocka_unit_test(weights_take_what_their_storage_takes),
  };
  return cmocka_run_group_tests_name("layer_precisions", tests, NULL, NULL);
}
