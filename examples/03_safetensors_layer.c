/* The attention layer of a model on disk: 03_safetensors_layer [DIRECTORY]. Without a directory of
 * Hugging Face, with its config.json, it first writes a layer of Qwen2.5-0.5B with random
 * weights. */
#include <attend/io.h>
#include <stdio.h>
#include <stdlib.h>

#define LAYER "model.layers.0.self_attn."
static const char written[] = "03_safetensors_layer.safetensors";

static float *random_matrix(size_t rows, size_t columns) {
  float *const m = malloc(rows * columns * sizeof *m);
  for (size_t i = 0; m && i < rows * columns; i++) m[i] = (float)rand() / (float)RAND_MAX - 0.5f;
  return m;
}

/* Matrices are [out, in] in these files, whatever the library does with them afterwards. */
static AttendStatus write_layer(const AttendLayerShape *s, char *error, size_t size) {
  const size_t q = s->query_heads * s->head_dim, kv = s->kv_heads * s->head_dim;
  const struct {
    const char *name;
    size_t rows, columns; /* columns 0: a vector */
  } parts[] = {
      {LAYER "q_proj.weight", q, s->width},  {LAYER "q_proj.bias", q, 0},
      {LAYER "k_proj.weight", kv, s->width}, {LAYER "k_proj.bias", kv, 0},
      {LAYER "v_proj.weight", kv, s->width}, {LAYER "v_proj.bias", kv, 0},
      {LAYER "o_proj.weight", s->width, q},
  };
  enum { COUNT = sizeof parts / sizeof *parts };
  AttendTensor tensors[COUNT];
  float *data[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    const size_t dims[] = {parts[i].rows, parts[i].columns};
    data[i] = random_matrix(parts[i].rows, parts[i].columns > 0 ? parts[i].columns : 1);
    tensors[i] = attend_float_tensor(parts[i].name, data[i], dims, parts[i].columns > 0 ? 2 : 1);
  }
  const AttendStatus status =
      attend_write_safetensors(written, tensors, COUNT, NULL, 0, error, size);
  for (size_t i = 0; i < COUNT; i++) free(data[i]);
  return status;
}

int main(int argc, char **argv) {
  const AttendModel *const qwen = attend_find_model("qwen2.5-0.5b");
  char error[ATTEND_FILE_ERROR_SIZE] = "";
  AttendContext *context = NULL;
  AttendTensorFile *file = NULL;
  AttendLayer layer = {0};
  AttendStatus status = attend_open(&context, NULL);
  if (status) fprintf(stderr, "%s\n", attend_status_message(status));

  if (!status && argc > 1) { /* config.json says what the model is */
    status =
        attend_load_layer(context, argv[1], 0, ATTEND_STORAGE_AUTO, &layer, error, sizeof error);
  } else if (!status) { /* what it is, is known */
    status = write_layer(&qwen->shape, error, sizeof error);
    if (!status) status = attend_open_tensors(written, &file, error, sizeof error);
    if (!status)
      status = attend_load_layer_from(context, file, qwen, 0, ATTEND_STORAGE_AUTO, &layer, error,
                                      sizeof error);
    attend_close_tensors(&file);
    remove(written);
  }
  if (status) {
    fprintf(stderr, "%s\n", error);
  } else {
    const AttendLayerShape s = layer.model.shape;
    float *const x = random_matrix(16, s.width), *const y = random_matrix(16, s.width);
    AttendOptions options; /* window, softcap and sinks, where the model has them */
    attend_default_options(&options);
    attend_layer_options(&layer, &options);
    status = attend_layer_forward(context, layer.weights, NULL, 1, 16, x, &options, y);
    if (status) fprintf(stderr, "%s\n", attend_get_error(context));
    printf("%s: E = %zu, Hq = %zu, Hk = %zu, D = %zu, %zu bytes packed; y[0][0] = %g\n",
           layer.model.name, s.width, s.query_heads, s.kv_heads, s.head_dim,
           attend_weights_bytes(layer.weights), (double)y[0]);
    free(x), free(y);
  }
  attend_free_layer(&layer);
  attend_close(&context);
  return status != ATTEND_OK;
}
