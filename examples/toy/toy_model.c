/* toy_model.c - frees a model, also one that a reader filled only in part. */
#include "toy_model.h"

#include <stdlib.h>
#include <string.h>

void model_free(Model *model) {
  for (size_t i = 0; i < ATTEND_MODEL_LAYERS; i++) attend_free_weights(&model->blocks[i].attention);
  free(model->memory);
  memset(model, 0, sizeof *model);
}
