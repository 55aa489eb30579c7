/* config_layers.c - reads the sliding window of a config.json, and which layers have it.
 *
 * A list in "layer_types" takes precedence over the rule of the family's own code. A model without
 * a sliding layer gets no window, so that the two never disagree.
 */
#include "io/config/config_parts.h"

#include <stdio.h>
#include <string.h>

#define SLIDING "sliding_attention"
#define FULL "full_attention"

static void set_sliding(AttendModel *model, size_t layer) {
  model->sliding[layer / 64] |= UINT64_C(1) << (layer % 64);
}

/* Reads the window, 0 if there is none. A null in the file switches it off; if the field is
 * missing, the family's default holds. */
static AttendStatus read_window(const ConfigObject *config, const ConfigFamily *family,
                                size_t *window) {
  *window = 0;
  if (family->window_rule == CONFIG_WINDOW_ON_LATE) {
    bool in_use = false;
    const AttendStatus status = config_read_optional_flag(config, "use_sliding_window", &in_use);
    if (status != ATTEND_OK || !in_use) return status;
  }
  const json_t *const stated = json_object_get(config->json, "sliding_window");
  if (stated == NULL) *window = family->default_window;
  if (stated == NULL || json_is_null(stated)) return ATTEND_OK;
  return config_read_size(config, "sliding_window", 1, CONFIG_MAX_SIZE, window);
}

static AttendStatus read_type(const ConfigObject *config, const json_t *types, size_t layer,
                              AttendModel *model) {
  const json_t *const type = json_array_get(types, layer);
  const char *const text = json_string_value(type);
  if (text != NULL && strcmp(text, FULL) == 0) return ATTEND_OK;
  const bool slides = text != NULL && strcmp(text, SLIDING) == 0;
  if (slides && model->window > 0) {
    set_sliding(model, layer);
    return ATTEND_OK;
  }
  char field[40];
  snprintf(field, sizeof field, "layer_types[%zu]", layer);
  return config_refuse_field(config, field, type,
                             slides ? "\"" FULL "\", as no \"sliding_window\" is in use,"
                                    : "\"" FULL "\" or \"" SLIDING "\"");
}

static AttendStatus read_types(const ConfigObject *config, const ConfigFamily *family,
                               const json_t *types, AttendModel *model) {
  if (!json_is_array(types)) return config_refuse_field(config, "layer_types", types, "an array");
  if (json_array_size(types) != model->layers) {
    return fault_set(config->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"layer_types\" has a length of %zu; that of \"%s\" (%zu) is "
                     "expected",
                     json_array_size(types), family->layers, model->layers);
  }
  for (size_t layer = 0; layer < model->layers; layer++) {
    const AttendStatus status = read_type(config, types, layer, model);
    if (status != ATTEND_OK) return status;
  }
  return ATTEND_OK;
}

static AttendStatus spread_window(const ConfigObject *config, const ConfigFamily *family,
                                  AttendModel *model) {
  if (model->window == 0) return ATTEND_OK;
  size_t first = 0, step = 1;
  if (family->window_rule == CONFIG_WINDOW_ON_EVEN) step = 2;
  if (family->window_rule == CONFIG_WINDOW_ON_LATE) {
    first = 28; /* of Qwen2Config and Qwen3Config */
    if (config_find(config, "max_window_layers") != NULL) {
      const AttendStatus status =
          config_read_size(config, "max_window_layers", 0, CONFIG_MAX_SIZE, &first);
      if (status != ATTEND_OK) return status;
    }
  }
  for (size_t layer = first; layer < model->layers; layer += step) set_sliding(model, layer);
  return ATTEND_OK;
}

AttendStatus config_read_layers(const ConfigObject *config, const ConfigFamily *family,
                                AttendModel *model) {
  if (family->window_rule == CONFIG_NO_WINDOW) return ATTEND_OK;
  AttendStatus status = read_window(config, family, &model->window);
  if (status != ATTEND_OK) return status;
  const json_t *const types = config_find(config, "layer_types");
  status = types != NULL ? read_types(config, family, types, model)
                         : spread_window(config, family, model);

  uint64_t any = 0;
  for (size_t i = 0; i < ATTEND_MODEL_LAYERS / 64; i++) any |= model->sliding[i];
  if (any == 0) model->window = 0;
  return status;
}
