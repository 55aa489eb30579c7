/* test_load_layer.c - layers of published models by the names of their tensors.
 *
 * Each family's model is written by the test, loaded, and held against attend_pack_weights() of the
 * same arrays: the packed matrices and the layer's output must agree bit for bit, for F32, F16 and
 * BF16. Then each tensor is left out, added or mis-shaped, and the sentence is checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/weights.h"
#include "tests/support/model_files.h"

#define TOKENS 5

static void require_same(const float *got, const float *expected, size_t count, const char *family,
                         const char *what) {
  if ((got == NULL) != (expected == NULL) ||
      (got != NULL && memcmp(got, expected, count * sizeof *got) != 0)) {
    fail_msg("%s: %s differs from what attend_pack_weights() makes", family, what);
  }
}

static void require_same_weights(const AttendWeights *got, const AttendWeights *expected,
                                 const char *family) {
  const size_t E = got->shape.width;
  assert_memory_equal(&got->shape, &expected->shape, sizeof got->shape);
  assert_int_equal(got->bytes, expected->bytes);
  require_same(stored_floats(&got->qkv.weight, 0, 0), stored_floats(&expected->qkv.weight, 0, 0),
               E * got->columns.qkv, family, "W_qkv");
  require_same(got->qkv.bias, expected->qkv.bias, got->columns.qkv, family, "b_qkv");
  require_same(stored_floats(&got->output.weight, 0, 0),
               stored_floats(&expected->output.weight, 0, 0), got->columns.context * E, family,
               "W_o");
  require_same(got->output.bias, expected->output.bias, E, family, "b_o");
  require_same(got->query_norm, expected->query_norm, got->shape.head_dim, family, "query_norm");
  require_same(got->key_norm, expected->key_norm, got->shape.head_dim, family, "key_norm");
}

static float *run(AttendContext *context, const AttendWeights *weights,
                  const AttendOptions *options, size_t width) {
  float *const x = new_random(1, 1, TOKENS * width), *const y = new_random(2, 1, TOKENS * width);
  assert_ok(context, attend_layer_forward(context, weights, NULL, 1, TOKENS, x, options, y));
  free(x);
  return y;
}

static void require_same_output(AttendContext *context, const AttendLayer *layer,
                                const AttendWeights *weights, const float *sinks,
                                const char *family) {
  const size_t width = layer->model.shape.width;
  AttendOptions options, by_hand;
  attend_default_options(&options);
  attend_layer_options(layer, &options);
  attend_default_options(&by_hand);
  attend_model_options(&layer->model, 1, &by_hand);
  by_hand.sinks = sinks;
  float *const got = run(context, layer->weights, &options, width);
  float *const expected = run(context, weights, &by_hand, width);
  require_same(got, expected, TOKENS * width, family, "the output");
  free(got);
  free(expected);
}

static void check_family(void **state, AttendContext *context, const ModelFamily *family,
                         const char *dtype) {
  char folder[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE] = "left over";
  ModelFiles files;
  AttendLayer layer;
  AttendWeights *weights = NULL;
  model_files_new(family, dtype, &files);
  model_files_write(&files, scratch_path(state, "family", folder));
  if (attend_load_layer(context, folder, 1, ATTEND_STORAGE_AUTO, &layer, error, sizeof error) !=
      ATTEND_OK) {
    fail_msg("%s: %s", family->name, error);
  }
  assert_string_equal(error, "");
  assert_int_equal(layer.index, 1);
  assert_memory_equal(&layer.model.shape, &family->shape, sizeof family->shape);
  attend_model_source(&layer.model, &files.source);
  assert_ok(context, attend_pack_weights(context, &layer.model.shape, &files.source, &weights));
  require_same_weights(layer.weights, weights, family->name);
  require_same(layer.sinks, files.sinks, family->shape.query_heads, family->name, "sinks");
  require_same_output(context, &layer, weights, files.sinks, family->name);
  attend_free_weights(&weights);
  attend_free_layer(&layer);
  assert_null(layer.weights);
  model_files_free(&files);
}

static void every_family_is_loaded_bit_for_bit(void **state) {
  static const char *const dtypes[] = {"F32", "F16", "BF16"};
  AttendContext *context = auto_open(1);
  for (size_t i = 0; model_family(i) != NULL; i++) {
    for (size_t j = 0; j < COUNT_OF(dtypes); j++) {
      check_family(state, context, model_family(i), dtypes[j]);
    }
  }
  attend_close(&context);
}

/* Numbers of a BF16 file are the same in bf16 as in fp32, and those of an F16 file in fp16; those
 * of others are rounded or split. */
static void check_stored(void **state, AttendContext *context, const ModelFamily *family,
                         AttendStorage storage, AttendStorage other) {
  char folder[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  ModelFiles files;
  AttendLayer layer = {.weights = NULL}, plain = {.weights = NULL};
  static const char *const dtypes[ATTEND_STORAGE_COUNT] = {[ATTEND_STORAGE_BF16] = "BF16",
                                                           [ATTEND_STORAGE_BF16X2] = "F16",
                                                           [ATTEND_STORAGE_BF16X3] = "F32",
                                                           [ATTEND_STORAGE_FP16] = "F16"};
  model_files_new(family, dtypes[storage], &files);
  model_files_write(&files, scratch_path(state, "stored", folder));
  assert_int_equal(attend_load_layer(context, folder, 1, storage, &layer, error, sizeof error), 0);
  assert_int_equal(attend_load_layer(context, folder, 1, other, &plain, error, sizeof error), 0);
  assert_int_equal(layer.weights->qkv.weight.number, storage_format(storage).number);
  assert_int_equal(layer.weights->qkv.weight.terms, storage_format(storage).terms);
  const Linear *const got[] = {&layer.weights->qkv, &layer.weights->output};
  const Linear *const expected[] = {&plain.weights->qkv, &plain.weights->output};
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < got[k]->in; i++)
      for (size_t o = 0; o < got[k]->out; o++)
        if (stored_element(&got[k]->weight, i, o) != stored_element(&expected[k]->weight, i, o))
          fail_msg("%s: weight %zu, %zu is %.9g in %s, %.9g in %s", family->name, i, o,
                   (double)stored_element(&got[k]->weight, i, o), attend_storage_name(storage),
                   (double)stored_element(&expected[k]->weight, i, o), attend_storage_name(other));
  attend_free_layer(&layer);
  attend_free_layer(&plain);
  model_files_free(&files);
}

static void stored_weights_are_those_of_the_file(void **state) {
  AttendContext *context = auto_open(1);
  for (size_t i = 0; model_family(i) != NULL; i++) {
    for (int storage = ATTEND_STORAGE_BF16; storage < ATTEND_STORAGE_COUNT; storage++)
      check_stored(state, context, model_family(i), (AttendStorage)storage, ATTEND_STORAGE_FP32);
  }
  attend_close(&context);
}

/* Writes the tensors to model.safetensors of the folder, and has layer `index` of them refused. */
static void load_refused(AttendContext *context, const ModelFiles *files, const char *folder,
                         size_t index, AttendStatus expected, const char *words) {
  char error[ATTEND_FILE_ERROR_SIZE], path[SCRATCH_PATH_SIZE + 32];
  AttendLayer layer, before;
  memset(&layer, 0xa5, sizeof layer);
  memset(&before, 0xa5, sizeof before);
  model_files_write(files, folder);
  const AttendStatus status =
      attend_load_layer(context, folder, index, ATTEND_STORAGE_AUTO, &layer, error, sizeof error);
  /* A sentence about a tensor that is there names its file, every other one the path as given. */
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  const bool inside = strstr(error, "\" has shape ") || strstr(error, "\" is of dtype ") ||
                      strstr(error, " is not part of ");
  require_file_refusal(status, expected, error, inside ? path : folder, words);
  assert_memory_equal(&layer, &before, sizeof layer);
}

static void a_missing_tensor_is_named(void **state) {
  char folder[SCRATCH_PATH_SIZE], words[160];
  AttendContext *context = auto_open(1);
  scratch_path(state, "missing", folder);
  for (size_t i = 0; model_family(i) != NULL; i++) {
    ModelFiles files;
    model_files_new(model_family(i), "F32", &files);
    for (size_t gone = 0; gone < files.count; gone++) {
      const AttendTensor tensor = files.tensors[gone];
      ModelFiles rest = files;
      rest.tensors[gone] = rest.tensors[--rest.count];
      if (tensor.rank == 2) {
        snprintf(words, sizeof words, "%s missing [%zu, %zu]", tensor.name, tensor.dims[0],
                 tensor.dims[1]);
      } else {
        snprintf(words, sizeof words, "%s missing [%zu]", tensor.name, tensor.dims[0]);
      }
      load_refused(context, &rest, folder, 1, ATTEND_STATUS_FILE_INVALID, words);
    }
    model_files_free(&files);
  }
  attend_close(&context);
}

static void a_tensor_too_many_is_named(void **state) {
  static const struct {
    size_t family;
    const char *name, *words;
  } cases[] = {
      {0, "model.layers.1.self_attn.q_proj.bias", "q_proj.bias [2]"},
      {0, "model.layers.1.self_attn.q_norm.weight", "q_norm.weight [2]"},
      {0, "model.layers.1.self_attn.sinks", "sinks [2]"},
      {0, "model.layers.1.self_attn.q_proj.qweight", "q_proj.qweight [2]"},
      {7, "h.1.attn.q_attn.weight", "q_attn.weight [2]"},
  };
  static const struct {
    size_t family;
    const char *name;
  } passed_over[] = {
      {0, "model.layers.1.self_attn.rotary_emb.inv_freq"},
      {0, "model.layers.11.self_attn.q_proj.bias"},
      {0, "model.layers.1.mlp.up_proj.weight"},
      {7, "h.1.attn.bias"},
      {7, "h.1.attn.masked_bias"},
      {7, "h.1.attnx.c_attn.weight"},
  };
  const float data[] = {1, 2};
  const size_t dims[] = {2};
  char folder[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  AttendContext *context = auto_open(1);
  ModelFiles files;
  scratch_path(state, "extra", folder);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    model_files_new(model_family(cases[i].family), "F32", &files);
    ModelFiles more = files;
    more.tensors[more.count++] = attend_float_tensor(cases[i].name, data, dims, 1);
    load_refused(context, &more, folder, 1, ATTEND_STATUS_FILE_INVALID, cases[i].words);
    model_files_free(&files);
  }
  for (size_t i = 0; i < COUNT_OF(passed_over); i++) {
    AttendLayer layer;
    model_files_new(model_family(passed_over[i].family), "F32", &files);
    ModelFiles more = files;
    more.tensors[more.count++] = attend_float_tensor(passed_over[i].name, data, dims, 1);
    model_files_write(&more, folder);
    if (attend_load_layer(context, folder, 1, ATTEND_STORAGE_AUTO, &layer, error, sizeof error) !=
        ATTEND_OK) {
      fail_msg("with %s: %s", passed_over[i].name, error);
    }
    attend_free_layer(&layer);
    model_files_free(&files);
  }
  attend_close(&context);
}

static void a_tensor_of_another_shape_is_named(void **state) {
  char folder[SCRATCH_PATH_SIZE];
  AttendContext *context = auto_open(1);
  ModelFiles files;
  scratch_path(state, "shapes", folder);
  model_files_new(model_family(0), "F32", &files);
  AttendTensor *tensor = &files.tensors[model_files_find(&files, "k_proj.weight")];
  const AttendTensor good = *tensor;
  tensor->dims[0] = 24;
  tensor->dims[1] = 16;
  load_refused(context, &files, folder, 1, ATTEND_STATUS_SHAPE_MISMATCH,
               "k_proj.weight\" has shape [24, 16]; [16, 24] is expected");
  tensor->rank = 3;
  tensor->dims[2] = 1;
  load_refused(context, &files, folder, 1, ATTEND_STATUS_SHAPE_MISMATCH,
               "has shape [24, 16, 1]; [16, 24] is expected");
  *tensor = good;
  tensor->dtype = "I32";
  load_refused(context, &files, folder, 1, ATTEND_STATUS_FILE_INVALID,
               "k_proj.weight\" is of dtype I32; F32, F16 or BF16 is expected");
  *tensor = good;
  load_refused(context, &files, folder, 2, ATTEND_STATUS_FILE_INVALID,
               "\"model.layers.2.self_attn.q_proj.weight\" is missing");
  load_refused(context, &files, folder, 3, ATTEND_STATUS_BAD_SIZE,
               "layer 3 is asked for; the model llama has 3, counted from 0");
  model_files_free(&files);
  attend_close(&context);
}

/* The names of GPT-2 with the config of a model that rotates its heads: a model that does not
 * exist. */
static void names_and_model_must_agree(void **state) {
  char folder[SCRATCH_PATH_SIZE];
  AttendContext *context = auto_open(1);
  ModelFamily mixed = *model_family(7);
  ModelFiles files;
  scratch_path(state, "mixed", folder);
  mixed.config = model_family(0)->config;
  model_files_new(&mixed, "F32", &files);
  load_refused(context, &files, folder, 1, ATTEND_STATUS_FILE_INVALID, "which has no RoPE");
  model_files_free(&files);
  attend_close(&context);
}

static void the_config_lies_beside_the_weights(void **state) {
  char folder[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  AttendContext *context = auto_open(1);
  ModelFiles files;
  AttendLayer layer;
  AttendModel model;
  model_files_new(model_family(3), "F32", &files);
  model_files_write(&files, scratch_path(state, "beside", folder));
  scratch_path(state, "beside/model.safetensors", path);
  assert_int_equal(attend_read_config_beside(path, &model, error, sizeof error), ATTEND_OK);
  assert_string_equal(model.name, "qwen2");
  assert_int_equal(
      attend_load_layer(context, path, 1, ATTEND_STORAGE_AUTO, &layer, error, sizeof error),
      ATTEND_OK);
  attend_free_layer(&layer);

  scratch_path(state, "beside/config.json", path);
  assert_int_equal(remove(path), 0);
  AttendStatus status =
      attend_load_layer(context, folder, 1, ATTEND_STORAGE_AUTO, &layer, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_FILE_UNREADABLE, error, path, "No such file");
  status = attend_read_config_beside(NULL, &model, error, sizeof error);
  assert_int_equal(status, ATTEND_STATUS_NULL_POINTER);
  model_files_free(&files);
  attend_close(&context);
}

static void a_layer_is_checked_without_reading_it(void **state) {
  char folder[SCRATCH_PATH_SIZE], error[ATTEND_FILE_ERROR_SIZE];
  ModelFiles files;
  AttendModel model;
  AttendTensorFile *file = NULL;
  size_t bytes = 0, expected = 0;
  model_files_new(model_family(6), "BF16", &files);
  model_files_write(&files, scratch_path(state, "checked", folder));
  for (size_t i = 0; i < files.count; i++) expected += 2 * files.tensors[i].bytes;
  assert_int_equal(attend_open_tensors(folder, &file, error, sizeof error), ATTEND_OK);
  assert_int_equal(attend_read_config_beside(folder, &model, error, sizeof error), ATTEND_OK);
  assert_int_equal(attend_check_layer(file, &model, 1, &bytes, error, sizeof error), ATTEND_OK);
  assert_int_equal(bytes, expected);
  assert_int_equal(attend_check_layer(file, &model, 1, NULL, NULL, 0), ATTEND_OK);
  assert_int_equal(attend_check_layer(file, &model, 0, &bytes, NULL, 0),
                   ATTEND_STATUS_FILE_INVALID);
  assert_int_equal(attend_check_layer(NULL, &model, 0, &bytes, NULL, 0),
                   ATTEND_STATUS_NULL_POINTER);
  assert_int_equal(attend_check_layer(file, NULL, 0, &bytes, NULL, 0), ATTEND_STATUS_NULL_POINTER);
  model.shape.kv_heads = 3;
  AttendStatus status = attend_check_layer(file, &model, 1, &bytes, error, sizeof error);
  require_file_refusal(status, ATTEND_STATUS_BAD_HEADS, error, folder, "layer");
  model.shape.kv_heads = 0;
  assert_int_equal(attend_check_layer(file, &model, 1, NULL, NULL, 0), ATTEND_STATUS_BAD_SIZE);
  assert_int_equal(
      attend_load_layer_from(NULL, file, &model, 1, ATTEND_STORAGE_AUTO, NULL, NULL, 0),
      ATTEND_STATUS_NULL_POINTER);
  attend_free_layer(NULL);
  attend_layer_options(NULL, NULL);
  attend_close_tensors(&file);
  model_files_free(&files);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_family_is_loaded_bit_for_bit),
      cmocka_unit_test(stored_weights_are_those_of_the_file),
      cmocka_unit_test(a_missing_tensor_is_named),
      cmocka_unit_test(a_tensor_too_many_is_named),
      cmocka_unit_test(a_tensor_of_another_shape_is_named),
      cmocka_unit_test(names_and_model_must_agree),
      cmocka_unit_test(the_config_lies_beside_the_weights),
      cmocka_unit_test(a_layer_is_checked_without_reading_it),
  };
  return cmocka_run_group_tests_name("load_layer", tests, scratch_setup, scratch_teardown);
}
