/* model_choice.c - reads the model that the command line names.
 *
 * Owns the defaults of dimensions and the sentences on dimensions that make no layer. It checks
 * what can be said better in the words of the options than by the library; the rest is the
 * library's.
 */
#include "cli/util/model_choice.h"

#include <stdio.h>

#include "attend/io.h"
#include "cli/message.h"

#define NEEDS_WIDTH                                                                                \
  .rules = {{NEEDS, "d-model", "a layer given by its dimensions needs the model's width"}}

#define OPTIONS DimensionOptions
const Option dimension_options[] = {
    {"d-model", "E", SIZE(width, 1, DIMENSION_MAX),
     .help = "width of the model, for a layer that is no preset"},
    {"heads", "HQ", SIZE(heads, 1, DIMENSION_MAX), .initial = "1", .help = "query heads",
     NEEDS_WIDTH},
    {"kv-heads", "HK", SIZE(kv_heads, 1, DIMENSION_MAX), .derived = "HQ",
     .help = "key/value heads, a divisor of HQ", NEEDS_WIDTH},
    {"head-dim", "D", SIZE(head_dim, 1, DIMENSION_MAX), .derived = "E / HQ",
     .help = "head dimension of Q and K", NEEDS_WIDTH},
    {"value-dim", "DV", SIZE(value_dim, 1, DIMENSION_MAX), .derived = "D",
     .help = "head dimension of V", NEEDS_WIDTH},
    {0},
};
#undef OPTIONS

#define OPTIONS ModelChoice
const Option model_options[] = {
    {"model", "NAME", MODEL(named), .help = "a preset; `attend info --models` lists them",
     .rules = {{NOT_WITH, "config " DIMENSION_NAMES, "each says which model; give one of them"}}},
    {"config", "FILE", NAME(config), .help = "a model's Hugging Face config.json",
     .rules = {{NOT_WITH, DIMENSION_NAMES, "each says which model; give one of them"}}},
    {GROUP(dimensions, dimension_options)},
    {0},
};

bool model_is_chosen(const ModelChoice *choice) {
  return choice->named != NULL || choice->config != NULL || choice->dimensions.width != 0;
}

int model_read(const ModelChoice *choice, const char *weights, AttendModel *model, char *error) {
  AttendStatus status = ATTEND_OK;
  error[0] = '\0';
  if (choice->named != NULL) {
    *model = *choice->named;
  } else if (choice->dimensions.width != 0) {
    return dimensions_model(&choice->dimensions, model);
  } else if (choice->config != NULL) {
    status = attend_read_config(choice->config, model, error, ATTEND_FILE_ERROR_SIZE);
  } else {
    status = attend_read_config_beside(weights, model, error, ATTEND_FILE_ERROR_SIZE);
  }
  return status == ATTEND_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int model_read_chosen(const ModelChoice *choice, AttendModel *model) {
  if (choice->config != NULL) return model_read_config(choice->config, model);
  char error[ATTEND_FILE_ERROR_SIZE];
  return model_read(choice, NULL, model, error);
}

int model_read_config(const char *path, AttendModel *model) {
  char error[ATTEND_FILE_ERROR_SIZE];
  if (attend_read_config(path, model, error, sizeof error) == ATTEND_OK) return EXIT_SUCCESS;
  return failure("--config: %s", error);
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

int dimensions_model(const DimensionOptions *dimensions, AttendModel *model) {
  const size_t width = dimensions->width;
  const size_t heads = dimensions->heads;
  const size_t kv_heads = dimensions->kv_heads != 0 ? dimensions->kv_heads : heads;
  if (heads % kv_heads != 0) {
    return usage_error("--kv-heads %zu does not divide --heads %zu; each key/value head serves the "
                       "same number of query heads.",
                       kv_heads, heads);
  }
  if (dimensions->head_dim == 0 && width % heads != 0) {
    return usage_error("--heads %zu does not divide --d-model %zu; give --head-dim.", heads, width);
  }
  const size_t head_dim = dimensions->head_dim != 0 ? dimensions->head_dim : width / heads;
  const size_t value_dim = dimensions->value_dim != 0 ? dimensions->value_dim : head_dim;
  *model = (AttendModel){
      .shape = {width, heads, kv_heads, head_dim, value_dim},
      .layers = 1,
  };
  write_name(&model->shape, model->name);
  return EXIT_SUCCESS;
}
