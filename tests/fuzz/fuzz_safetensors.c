/* fuzz_safetensors.c - any bytes as a .safetensors file; every byte of every view is then read,
 * every tensor widened, and every layer of a small model looked for and loaded.
 */
#include <string.h>

#include "tests/fuzz/fuzz_file.h"

static const AttendModel model = {
    .name = "fuzzed", .shape = {2, 2, 1, 2, 2}, .qkv_bias = true, .output_bias = true, .layers = 2};

static void read_tensor(const AttendTensorFile *file, const AttendTensor *tensor) {
  char error[ATTEND_FILE_ERROR_SIZE];
  unsigned sum = 0;
  for (size_t i = 0; i < tensor->bytes; i++) sum += ((const unsigned char *)tensor->data)[i];
  require(sum <= 255 * tensor->bytes);
  require(attend_find_tensor(file, tensor->name) == tensor);
  const size_t count = tensor->bytes / (strcmp(tensor->dtype, "F32") == 0 ? 4 : 2);
  float *const numbers = malloc(count > 0 ? count * sizeof *numbers : 1);
  require(numbers != NULL);
  fuzz_judge(attend_read_tensor(file, tensor->name, numbers, count, error, sizeof error), error);
  free(numbers);
}

static void load_layers(AttendContext *context, const AttendTensorFile *file) {
  char error[ATTEND_FILE_ERROR_SIZE];
  for (size_t i = 0; i < model.layers; i++) {
    AttendLayer layer;
    size_t bytes = 0;
    const AttendStatus found = attend_check_layer(file, &model, i, &bytes, error, sizeof error);
    fuzz_judge(found, error);
    const AttendStatus loaded = attend_load_layer_from(
        context, file, &model, i, ATTEND_STORAGE_AUTO, &layer, error, sizeof error);
    fuzz_judge(loaded, error);
    require(found == loaded);
    if (loaded == ATTEND_OK) attend_free_layer(&layer);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static AttendContext *context;
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendTensorFile *file = NULL;
  if (context == NULL) {
    AttendSettings settings;
    attend_default_settings(&settings);
    settings.threads = 1;
    require(attend_open(&context, &settings) == ATTEND_OK);
  }
  const AttendStatus status =
      attend_open_tensors(fuzz_path(data, size), &file, error, sizeof error);
  fuzz_judge(status, error);
  require((status == ATTEND_OK) == (file != NULL));
  size_t bytes = 0;
  for (size_t i = 0; i < attend_tensor_count(file); i++) {
    bytes += attend_tensor_at(file, i)->bytes;
    read_tensor(file, attend_tensor_at(file, i));
  }
  require(bytes <= size);
  if (file != NULL) load_layers(context, file);
  attend_close_tensors(&file);
  return 0;
}
