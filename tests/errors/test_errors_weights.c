/* test_errors_weights.c - weights that cannot be packed: sources that are incomplete, contradictory
 * or misaligned, and shapes that are none. A refused call leaves a null handle.
 */
#include "tests/support/support.h"

#include <math.h>
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
                         AttendStatus expected, const char *words, const char *what) {
  AttendContext *context = auto_open(1);
  AttendWeights *weights = (AttendWeights *)(void *)&context;
  require_refusal(context, attend_pack_weights(context, shape, source, &weights), expected, words,
                  what);
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
  const struct {
    const float **matrix;
    const char *name;
  } needed[] = {{&s.query, "query"}, {&s.key, "key"}, {&s.value, "value"}, {&s.output, "output"}};
  for (size_t k = 0; k < COUNT_OF(needed); k++) {
    s = right;
    *needed[k].matrix = NULL;
    pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, needed[k].name, "a null matrix");
  }
  s = right;
  s.qkv = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "qkv", "fused and separate");
  s = right;
  s.qkv_bias = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "qkv_bias qkv", "a fused bias alone");
  s = right;
  s.query = s.key = s.value = NULL;
  s.qkv = data;
  s.value_bias = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "qkv bias", "a separate bias alone");
  s = right;
  s.struct_size = 3;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "3", "a source that was not filled");
  s = right;
  s.orientation = (AttendOrientation)7;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "7", "an orientation that is none");
  s = right;
  s.storage = ATTEND_STORAGE_COUNT;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "source.storage 6",
               "a storage that is none");
  free(data);
}

/* The sentence names the one pointer that is odd. */
static void odd_addresses(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64 + 1);
  AttendWeightSource s;
  const struct {
    const float **pointer;
    const char *words;
  } parts[] = {
      {&s.query, "source.query"},           {&s.key, "source.key"},
      {&s.value, "source.value"},           {&s.output, "source.output"},
      {&s.query_bias, "source.query_bias"}, {&s.key_bias, "source.key_bias"},
      {&s.value_bias, "source.value_bias"}, {&s.output_bias, "source.output_bias"},
  };
  for (size_t k = 0; k < COUNT_OF(parts); k++) {
    s = right_source(data);
    *parts[k].pointer = off_by_a_byte(data);
    pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, parts[k].words, "an odd address");
  }
  s = right_source(NULL);
  s.qkv = off_by_a_byte(data), s.output = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "source.qkv", "an odd qkv");
  s.qkv = data, s.qkv_bias = off_by_a_byte(data);
  pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "source.qkv_bias", "its bias");
  free(data);
}

static void norms(void **state) {
  (void)state;
  static const float epsilons[] = {-1e-9f, NAN, INFINITY, -INFINITY};
  float *const data = new_random(1, 1.0f, 16 * 64 + 1);
  AttendWeightSource s = right_source(data);
  s.query_norm = data;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "key_norm", "one norm");
  s.key_norm = off_by_a_byte(data);
  pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "key_norm", "an odd norm");
  s.key_norm = data;
  s.query_norm = off_by_a_byte(data);
  pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "query_norm", "an odd norm");
  s.query_norm = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "query_norm", "the other norm");
  for (size_t k = 0; k < COUNT_OF(epsilons); k++) {
    s = right_source(data);
    s.norm_epsilon = epsilons[k];
    pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "norm_epsilon", "an epsilon");
  }
  free(data);
}

/* A number of AttendRope out of its range, in a setting that is otherwise right. */
typedef struct BadNumber {
  AttendRopeScaling scaling;
  size_t field;
  double value;
  const char *words;
} BadNumber;

#define FIELD(name) offsetof(AttendRope, name)
#define YARN ATTEND_ROPE_YARN
#define LLAMA3 ATTEND_ROPE_LLAMA3

static const BadNumber bad_numbers[] = {
    {ATTEND_ROPE_UNSCALED, FIELD(base), 0.0, "base 0"},
    {ATTEND_ROPE_UNSCALED, FIELD(base), -1.0, "base -1"},
    {ATTEND_ROPE_LINEAR, FIELD(base), (double)NAN, "base"},
    {ATTEND_ROPE_NTK, FIELD(base), (double)INFINITY, "base inf"},
    {YARN, FIELD(base), 1.0, "above 1"},
    {ATTEND_ROPE_LINEAR, FIELD(factor), 0.5, "factor 0.5"},
    {ATTEND_ROPE_NTK, FIELD(factor), (double)INFINITY, "factor inf"},
    {YARN, FIELD(factor), (double)NAN, "factor"},
    {LLAMA3, FIELD(factor), -8.0, "factor -8"},
    {YARN, FIELD(original_positions), 0.0, "original_positions 0"},
    {LLAMA3, FIELD(original_positions), (double)NAN, "original_positions"},
    {LLAMA3, FIELD(low_frequency_factor), 0.0, "low_frequency_factor 0"},
    {LLAMA3, FIELD(low_frequency_factor), 4.0, "high_frequency_factor 4"},
    {LLAMA3, FIELD(high_frequency_factor), 0.75, "high_frequency_factor 0.75"},
    {YARN, FIELD(beta_slow), 0.0, "beta_slow 0"},
    {YARN, FIELD(beta_slow), 33.0, "beta_fast 32"},
    {YARN, FIELD(beta_fast), (double)INFINITY, "beta_fast inf"},
    {YARN, FIELD(attention_factor), -0.5, "attention_factor -0.5"},
    {YARN, FIELD(attention_factor), (double)INFINITY, "attention_factor inf"},
};

static void rope_numbers(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64);
  for (size_t k = 0; k < COUNT_OF(bad_numbers); k++) {
    const BadNumber *const bad = &bad_numbers[k];
    AttendWeightSource s = right_source(data);
    s.rope.pairing = ATTEND_ROPE_HALF;
    s.rope.scaling = bad->scaling;
    *(double *)(void *)((char *)&s.rope + bad->field) = bad->value;
    pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, bad->words, bad->words);
  }
  free(data);
}

static void rope_choices(void **state) {
  (void)state;
  static const size_t dims[] = {1, 3, 7, 8, SIZE_MAX};
  float *const data = new_random(1, 1.0f, 16 * 64);
  AttendWeightSource right = right_source(data);
  right.rope.pairing = ATTEND_ROPE_INTERLEAVED;
  AttendWeightSource s = right;
  s.rope.pairing = (AttendRopePairing)3;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "pairing 3", "a pairing");
  s = right;
  s.rope.scaling = (AttendRopeScaling)5;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "scaling 5", "a scaling");
  for (size_t k = 0; k < COUNT_OF(dims); k++) {
    char text[NUMBER_SIZE];
    s = right;
    s.rope.dims = dims[k];
    pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, number(text, dims[k]), "odd dims");
  }
  const AttendLayerShape odd = {16, 4, 2, 5, 10};
  pack_refused(&odd, &right, ATTEND_STATUS_BAD_OPTION, "dims head_dim 5", "an odd head");
  free(data);
}

static void rope_tables(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64);
  AttendWeightSource right = right_source(data);
  right.rope.pairing = ATTEND_ROPE_HALF;
  right.rope.cos = right.rope.sin = data;
  right.rope.table_positions = 4;
  AttendWeightSource s = right;
  s.rope.cos = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "rope.cos", "no cosines");
  s = right;
  s.rope.sin = NULL;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_NULL_POINTER, "rope.sin", "no sines");
  s.rope.sin = off_by_a_byte(data);
  pack_refused(&layer_shape, &s, ATTEND_STATUS_MISALIGNED, "rope.sin", "odd sines");
  s = right;
  s.rope.table_positions = 0;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_BAD_OPTION, "table_positions 0", "no position");
  s.rope.table_positions = SIZE_MAX / 4;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_OVERFLOW, "4611686018427387903", "endless tables");
  s.rope.dims = 2;
  s.rope.table_positions = PTRDIFF_MAX / 8;
  pack_refused(&layer_shape, &s, ATTEND_STATUS_OVERFLOW, "1152921504606846975",
               "tables that leave no room for the weights");
  free(data);
}

/* What is out of range but not looked at is no error. */
static void unused_settings(void **state) {
  (void)state;
  float *const data = new_random(1, 1.0f, 16 * 64);
  AttendContext *context = auto_open(1);
  AttendWeightSource s = right_source(data);
  AttendWeights *weights = NULL;
  s.rope.base = s.rope.factor = -1.0;
  s.rope.dims = 99;
  assert_ok(context, attend_pack_weights(context, &layer_shape, &s, &weights));
  attend_free_weights(&weights);
  s = right_source(data);
  s.rope.pairing = ATTEND_ROPE_HALF;
  s.rope.factor = s.rope.beta_fast = s.rope.original_positions = -1.0;
  assert_ok(context, attend_pack_weights(context, &layer_shape, &s, &weights));
  attend_free_weights(&weights);
  attend_close(&context);
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
      cmocka_unit_test(weight_sources),  cmocka_unit_test(odd_addresses),
      cmocka_unit_test(norms),           cmocka_unit_test(rope_numbers),
      cmocka_unit_test(rope_choices),    cmocka_unit_test(rope_tables),
      cmocka_unit_test(unused_settings), cmocka_unit_test(layer_shapes),
  };
  return cmocka_run_group_tests_name("errors_weights", tests, NULL, NULL);
}
