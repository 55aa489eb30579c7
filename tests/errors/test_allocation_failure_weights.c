/* test_allocation_failure_weights.c - every allocation of packing weights fails.
 *
 * A refused call leaves a null handle. The weights that are packed at last give the layer's output
 * that the oracle gives.
 */
#include "tests/support/full_layer.h"
#include "tests/support/injection.h"
#include "tests/support/layer_problem.h"

#include <stdlib.h>

#define THREADS 3
#define STORAGES (ATTEND_STORAGE_COUNT - 1) /* but AUTO */

/* Packs a source and runs the layer: tokens of one sequence, whose Y is known. */
typedef struct Packing {
  const AttendLayerShape *shape;
  const AttendOptions *options;
  const float *x;
  const double *y;
  size_t tokens;
} Packing;

static void check_packing(Injection injection, const AttendWeightSource *source,
                          const Packing *packing, const char *label) {
  const size_t floats = packing->tokens * packing->shape->width;
  AttendContext *context = auto_open(THREADS);
  AttendWeights *weights = (AttendWeights *)(void *)context;
  while (refused(&injection, context,
                 attend_pack_weights(context, packing->shape, source, &weights))) {
    assert_null(weights);
    weights = (AttendWeights *)(void *)context;
  }
  assert_int_equal(injection.refusals, 1);
  float *const y = guarded_new(floats * sizeof *y, 4);
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, packing->tokens, packing->x,
                                          packing->options, y));
  check_close(label, y, packing->y, floats);
  guarded_free(y, "y");
  attend_free_weights(&weights);
  attend_close(&context);
}

/* With and without biases, QK-norm and frequencies of RoPE, in every storage. */
static void packing_weights_of_models(void **state) {
  enum { TOKENS = 20 };
  FullLayer layer;
  for (size_t k = 0; full_layer_new(k / STORAGES, &layer); k++) {
    const AttendStorage storage = (AttendStorage)(ATTEND_STORAGE_FP32 + k % STORAGES);
    full_layer_store(&layer, storage);
    float *const x = new_random(91, 1.0f, TOKENS * layer.spec.shape.width);
    double *const y = full_layer_expect(&layer, TOKENS, x, NULL);
    AttendWeightSource source = full_layer_source(&layer);
    source.storage = storage;
    const Packing packing = {&layer.spec.shape, &layer.options, x, y, TOKENS};
    check_packing(injection_of(state), &source, &packing, layer.spec.name);
    free(x);
    free(y);
    full_layer_free(&layer);
  }
}

/* Tables of RoPE that do not turn anything, so that the oracle needs none. */
static AttendRope still_rope(size_t positions, size_t dims, float **cos, float **sin) {
  const size_t floats = positions * (dims / 2);
  AttendRope rope;
  attend_default_rope(&rope);
  rope.pairing = ATTEND_ROPE_INTERLEAVED;
  rope.table_positions = positions;
  rope.cos = *cos = new_bytes(floats * sizeof **cos);
  rope.sin = *sin = new_bytes(floats * sizeof **sin);
  for (size_t i = 0; i < floats; i++) {
    (*cos)[i] = 1.0f;
    (*sin)[i] = 0.0f;
  }
  return rope;
}

/* Fused or in three matrices, either way round, with tables. */
static void packing_weights_in_every_form(void **state) {
  const LayerCase spec = {.shape = {40, 4, 2, 16, 12}, .batch = 1, .tokens = 20};
  LayerProblem p = layer_problem_new(&spec);
  const size_t width = spec.shape.width, all = p.columns.all;
  const size_t counts[] = {p.columns.query, p.columns.key, p.columns.value, all};
  const size_t firsts[] = {0, counts[0], counts[0] + counts[1], 0};
  float *cos, *sin;
  const AttendRope rope = still_rope(spec.tokens, spec.shape.head_dim, &cos, &sin);
  const Packing packing = {&spec.shape, &p.options, p.x, p.y, spec.tokens};
  for (size_t form = 0; form < 4; form++) {
    const AttendOrientation orientation = form & 1 ? ATTEND_OUT_IN : ATTEND_IN_OUT;
    float *parts[4];
    for (size_t k = 0; k < 4; k++)
      parts[k] = part_of(p.qkv, width, all, firsts[k], counts[k], orientation);
    float *const output = part_of(p.output, p.columns.context, width, 0, width, orientation);
    AttendWeightSource source;
    attend_default_weight_source(&source);
    source.orientation = orientation;
    source.output = output;
    source.output_bias = p.output_bias;
    source.rope = rope;
    if (form & 2) {
      source.qkv = parts[3];
      source.qkv_bias = p.qkv_bias;
    } else {
      source.query = parts[0];
      source.key = parts[1];
      source.value = parts[2];
      source.query_bias = p.qkv_bias;
      source.key_bias = p.qkv_bias + firsts[1];
      source.value_bias = p.qkv_bias + firsts[2];
    }
    check_packing(injection_of(state), &source, &packing, form & 2 ? "fused" : "separate");
    for (size_t k = 0; k < 4; k++) free(parts[k]);
    free(output);
  }
  free(cos);
  free(sin);
  layer_problem_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      INJECTED_TEST(packing_weights_of_models),
      INJECTED_TEST(packing_weights_in_every_form),
  };
  return cmocka_run_group_tests_name("allocation_failure_weights", tests, NULL, NULL);
}
