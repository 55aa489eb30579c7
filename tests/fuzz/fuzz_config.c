/* fuzz_config.c - any bytes as a config.json; a model that is read must be one that can be
 * planned. */
#include "tests/fuzz/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char error[ATTEND_FILE_ERROR_SIZE];
  AttendModel model;
  const AttendStatus status =
      attend_read_config(fuzz_path(data, size), &model, error, sizeof error);
  fuzz_judge(status, error);
  if (status != ATTEND_OK) return 0;
  AttendOptions options;
  AttendWeightSource source;
  attend_default_options(&options);
  attend_default_weight_source(&source);
  require(model.layers >= 1 && model.layers <= ATTEND_MODEL_LAYERS);
  require(model.shape.query_heads % model.shape.kv_heads == 0);
  for (size_t i = 0; i < model.layers; i++) attend_model_options(&model, i, &options);
  attend_model_source(&model, &source);
  return 0;
}
