/* test_errors_weights.c - weights that cannot be packed: sources that are incomplete, contradictory or
 * misaligned, and shapes that are none. A refused call leaves a null handle.
 */
#include "tests/support.h"

#include <stdlib.h>

static const AttendLayerShape layer_shape = {16, 4, 2, 6, 10};

/* Enough floats for any matrix of layer_shape. */
static AttendWeightSource right_source(const float *data) {
  AttendWeightSource source;
  attend_default_weight_source(&source);
  source.query = source.key = source.value = source.output = data;
  return source;
}

static void pack_refused(const AttendLayerShape *shape, const AttendWeightSource *source,
                         AttendStatus expected, const char *fragment, const char *what) {
  AttendContext *context = engine_open((Engine){ATTEND_PATH_AUTO, ATTEND_ISA_AUTO}, 1);
  AttendWeights *weights = (AttendWeights *)(void *)&context;
  require_refusal(context, attend_pack_weights(context, shape, source, &weights), expected,
                  fragment, what);
  assert_null(weights);
  attend_close(&context);
}

static void weight_sources(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64 + 1);
  const AttendWeightSource right = right_source(data);
  AttendWeightSource s = right;
  pack_refused(NULL, &s, ATTEND_STATUS_NULL_POINTER, "shape", "no shape");
  pack_refused(&layer_shape, NULL, ATTEND_STATUS_NULL_POINTER, "source", "no source");
  s.query = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "query", "no query");
  s = right;
  s.key = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "key", "no key");
  s = right;
  s.value = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "value", "no value");
  s = right;
  s.output = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "output", "no output");
  s = right;
  s.qkv = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "qkv", "fused and separate");
  s = right;
  s.qkv_bias = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "bias", "a fused bias alone");
  s = right;
  s.query = s.key = s.value = NULL;
  s.qkv = data;
  s.value_bias = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "bias", "a separate bias alone");
  s = right;
  s.struct_size = 3;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "3", "a source that was not filled");
  s = right;
  s.orientation = (AttendOrientation)7;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "7", "an orientation that is none");
  const float **const pointers[] = {&s.query,      &s.key,        &s.value,      &s.output,
                                    &s.query_bias, &s.value_bias, &s.output_bias};
  for (size_t k = 0; k < COUNT_OF(pointers); k++) {
    s = right;
    *pointers[k] = off_by_a_byte(data);
    pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "4", "an odd address");
  }
  free(data);
}

static void layer_shapes(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64);
  const AttendWeightSource source = right_source(data);
  const size_t offsets[] = {
      offsetof(AttendLayerShape, width), offsetof(AttendLayerShape, query_heads),
      offsetof(AttendLayerShape, kv_heads), offsetof(AttendLayerShape, head_dim),
      offsetof(AttendLayerShape, value_dim)};
  static const char *const names[] = {"width", "query_heads", "kv_heads", "head_dim", "value_dim"};
  for (size_t k = 0; k < COUNT_OF(offsets); k++) {
    static const size_t huge[] = {SIZE_MAX - 1, SIZE_MAX / 2 - 1, (size_t)1 << 40};
    AttendLayerShape shape = layer_shape;
    size_t *const size = (size_t *)(void *)((char *)&shape + offsets[k]);
    *size = 0;
    pack_refused(&shape, &source, ATTEND_STATUS_BAD_SIZE, names[k], "a size of 0");
    for (size_t h = 0; h < COUNT_OF(huge); h++) {
      char text[NUMBER_SIZE];
      shape = layer_shape;
      *size = huge[h];
      if (k == 2) shape.query_heads = huge[h];
      pack_refused(&shape, &source, ATTEND_STATUS_OVERFLOW,
                   huge[h] > (size_t)1 << 40 ? number(text, huge[h]) : "", "a huge size");
    }
  }
  AttendLayerShape shape = layer_shape;
  shape.kv_heads = 3;
  pack_refused(&shape, &source, ATTEND_STATUS_BAD_HEADS, "3", "4 query heads and 3 kv heads");
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weight_sources),
      cmocka_unit_test(layer_shapes),
  };
  return cmocka_run_group_tests_name("errors_weights", tests, NULL, NULL);
}
