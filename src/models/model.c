/* model.c - translates a model's figures into the settings of one of its layers.
 *
 * It sets the fields that the model decides; other fields keep what the caller has set. A layer that
 * the model does not have, or a null pointer, changes nothing.
 */
#include "attend/attend.h"

static bool layer_slides(const AttendModel *model, size_t layer) {
  return model->window > 0 && (model->sliding[layer / 64] >> (layer % 64) & 1) != 0;
}

/* A window of w keys has the query's own among them: it reaches back w - 1. */
static int64_t reach_back(size_t window) {
  return window - 1 > INT64_MAX ? -1 : (int64_t)(window - 1);
}

void attend_model_options(const AttendModel *model, size_t layer, AttendOptions *options) {
  if (model == NULL || options == NULL) return;
  if (layer >= model->layers || layer >= ATTEND_MODEL_LAYERS) return;
  options->scale = model->scale;
  options->softcap = model->softcap;
  options->window_left = layer_slides(model, layer) ? reach_back(model->window) : -1;
}

void attend_model_source(const AttendModel *model, AttendWeightSource *source) {
  if (model == NULL || source == NULL) return;
  source->rope = model->rope;
  if (model->qk_norm) source->norm_epsilon = model->norm_epsilon;
}
