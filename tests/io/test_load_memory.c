/* test_load_memory.c - how much memory it takes to load a layer, and that its weights are right all
 * the same.
 *
 * The layers are large enough that their matrices are read in several blocks. What is packed from a
 * file has the bits of what is packed from memory.
 */
#include <stdlib.h>
#include <string.h>

#include "layer/weights.h"
#include "tests/support/allocation_hook.h"
#include "tests/support/scratch.h"

#define MIB ((size_t)1 << 20)
/* The block that matrices pass through, a buffer for what is not fp32 in the file, names,
 * biases. */
#define BESIDE (2 * MIB + MIB / 4)
/* Large allocations are in whole pages of this size, and the C library counts up to one more to a
 * block that begins at such a page. */
#define PAGE (2 * MIB)

typedef struct Tensor {
  const char *name;
  size_t rows, columns;
} Tensor;

/* Layers of published sizes: [out, in] in four matrices, and [in, out] in two. */
static const struct {
  const char *model;
  Tensor tensors[4];
} layers[] = {
    {"qwen3-0.6b",
     {{"layers.0.self_attn.q_proj.weight", 2048, 1024},
      {"layers.0.self_attn.k_proj.weight", 1024, 1024},
      {"layers.0.self_attn.v_proj.weight", 1024, 1024},
      {"layers.0.self_attn.o_proj.weight", 1024, 2048}}},
    {"gpt2-small", {{"h.0.attn.c_attn.weight", 768, 2304}, {"h.0.attn.c_proj.weight", 768, 768}}}};

static void same_matrix(const Linear *got, const Linear *expected) {
  const size_t panels = size_ceil_divide(got->out, got->weight.panel_columns);
  assert_int_equal(got->weight.number, expected->weight.number);
  assert_int_equal(got->weight.terms, expected->weight.terms);
  assert_memory_equal(got->weight.words, expected->weight.words,
                      panels * got->weight.panel_stride * sizeof *got->weight.words);
}

/* The matrices as the tensors' numbers are in memory; W_o is the last. */
static AttendWeights *pack_from_memory(AttendContext *context, const AttendModel *model,
                                       float *const *data, size_t count, AttendStorage storage) {
  AttendWeightSource source;
  AttendWeights *weights = NULL;
  attend_default_weight_source(&source);
  source.storage = storage;
  source.orientation = count == 2 ? ATTEND_IN_OUT : ATTEND_OUT_IN;
  source.output = data[count - 1];
  if (count == 2) {
    source.qkv = data[0];
  } else {
    source.query = data[0];
    source.key = data[1];
    source.value = data[2];
  }
  assert_ok(context, attend_pack_weights(context, &model->shape, &source, &weights));
  return weights;
}

static void check_load(AttendContext *context, const AttendTensorFile *file,
                       const AttendModel *model, float *const *data, size_t count, size_t floats,
                       AttendStorage storage) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendLayer layer;
  const size_t before = hook_bytes();
  hook_watch_bytes();
  if (attend_load_layer_from(context, file, model, 0, storage, &layer, error, sizeof error))
    fail_msg("%s", error);
  const size_t took = hook_most_bytes() - before;
  const size_t packed = (attend_weights_bytes(layer.weights) + 2 * PAGE) / PAGE * PAGE;
  assert_true(floats * sizeof(float) >
              2 * PAGE + BESIDE); /* else a copy in fp32 would go unnoticed */
  if (took > packed + BESIDE)
    fail_msg("%s in %s: loading took %zu bytes, for weights of %zu", model->name,
             attend_storage_name(storage), took, packed);
  AttendWeights *weights = pack_from_memory(context, model, data, count, storage);
  same_matrix(&layer.weights->qkv, &weights->qkv);
  same_matrix(&layer.weights->output, &weights->output);
  attend_free_weights(&weights);
  attend_free_layer(&layer);
}

/* A model with no more in its layers than matrices. */
static AttendModel bare_model(const char *name) {
  const AttendModel *const found = attend_find_model(name);
  if (!found) fail_msg("there is no model %s", name);
  AttendModel model = *found;
  model.qkv_bias = model.output_bias = model.qk_norm = false;
  return model;
}

static void layers_are_read_in_blocks(void **state) {
  for (size_t l = 0; l < COUNT_OF(layers); l++) {
    const AttendModel model = bare_model(layers[l].model);
    char path[SCRATCH_PATH_SIZE];
    float *data[4];
    AttendTensor tensors[4];
    size_t dims[4][2], count = 0, floats = 0;
    for (; count < 4 && layers[l].tensors[count].name; count++) {
      const Tensor *const t = &layers[l].tensors[count];
      dims[count][0] = t->rows;
      dims[count][1] = t->columns;
      data[count] = new_random(10 + count, 1.0f, t->rows * t->columns);
      tensors[count] = attend_float_tensor(t->name, data[count], dims[count], 2);
      floats += t->rows * t->columns;
    }
    AttendTensorFile *file = NULL;
    scratch_path(state, "layer.safetensors", path);
    assert_int_equal(attend_write_safetensors(path, tensors, count, NULL, 0, NULL, 0), ATTEND_OK);
    assert_int_equal(attend_open_tensors(path, &file, NULL, 0), ATTEND_OK);
    AttendContext *context = auto_open(2);
    for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++)
      check_load(context, file, &model, data, count, floats, (AttendStorage)storage);
    attend_close(&context);
    attend_close_tensors(&file);
    for (size_t k = 0; k < count; k++) free(data[k]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(layers_are_read_in_blocks)};
  return cmocka_run_group_tests_name("load_memory", tests, scratch_setup, scratch_teardown);
}
