/* dimensions.c - a layer that the command line gives by its dimensions in place of a model.
 *
 * Owns the defaults of those options and the sentences on dimensions that make no layer. It checks
 * what can be said better in the words of the options than by the library; everything else is left
 * to the library.
 */
#include <stdio.h>

#include "cli/options.h"

OptionTaken take_dimension_option(DimensionOptions *dimensions, int code, const char *value) {
  const struct {
    int code;
    const char *name;
    size_t *dimension;
  } table[] = {
      {OPTION_WIDTH, "--d-model", &dimensions->width},
      {OPTION_HEADS, "--heads", &dimensions->heads},
      {OPTION_KV_HEADS, "--kv-heads", &dimensions->kv_heads},
      {OPTION_HEAD_DIM, "--head-dim", &dimensions->head_dim},
      {OPTION_VALUE_DIM, "--value-dim", &dimensions->value_dim},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (table[i].code != code) continue;
    return parse_size(table[i].name, value, 1, DIMENSION_MAX, table[i].dimension) ? OPTION_TAKEN
                                                                                  : OPTION_REFUSED;
  }
  return OPTION_FOREIGN;
}

bool dimensions_given(const DimensionOptions *dimensions) {
  return dimensions->width != 0 || dimensions->heads != 0 || dimensions->kv_heads != 0 ||
         dimensions->head_dim != 0 || dimensions->value_dim != 0;
}

/* The sizes are at most DIMENSION_MAX, so that a name always fits. */
static void write_name(const AttendLayerShape *shape, char name[ATTEND_NAME_SIZE]) {
  const unsigned e = (unsigned)shape->width, hq = (unsigned)shape->query_heads;
  const unsigned hk = (unsigned)shape->kv_heads, d = (unsigned)shape->head_dim;
  const unsigned dv = (unsigned)shape->value_dim;
  if (d == dv) {
    snprintf(name, ATTEND_NAME_SIZE, "E%u-Hq%u-Hk%u-D%u", e, hq, hk, d);
  } else {
    snprintf(name, ATTEND_NAME_SIZE, "E%u-Hq%u-Hk%u-D%u-Dv%u", e, hq, hk, d, dv);
  }
}

bool dimensions_model(const DimensionOptions *dimensions, AttendModel *model) {
  const size_t width = dimensions->width;
  const size_t heads = dimensions->heads != 0 ? dimensions->heads : 1;
  const size_t kv_heads = dimensions->kv_heads != 0 ? dimensions->kv_heads : heads;
  if (width == 0) {
    usage_error("--d-model is missing; a layer given by its dimensions needs the model's width.");
    return false;
  }
  if (heads % kv_heads != 0) {
    usage_error("--kv-heads %zu does not divide --heads %zu; each key/value head serves the same "
                "number of query heads.",
                kv_heads, heads);
    return false;
  }
  if (dimensions->head_dim == 0 && width % heads != 0) {
    usage_error("--heads %zu does not divide --d-model %zu; give --head-dim.", heads, width);
    return false;
  }
  const size_t head_dim = dimensions->head_dim != 0 ? dimensions->head_dim : width / heads;
  const size_t value_dim = dimensions->value_dim != 0 ? dimensions->value_dim : head_dim;
  *model = (AttendModel){
      .shape = {width, heads, kv_heads, head_dim, value_dim},
      .layers = 1,
  };
  write_name(&model->shape, model->name);
  return true;
}
