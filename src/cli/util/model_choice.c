/* model_choice.c - takes the options that name a model, and reads the model.
 *
 * Owns the order of precedence. That only one way is used is for the command to say, in its own
 * words.
 */
#include "cli/util/model_choice.h"

#include "attend/io.h"

OptionTaken take_model_option(ModelChoice *choice, int code, const char *value) {
  switch (code) {
  case OPTION_ONE_MODEL:
    if (choice->named.count > 0) {
      usage_error("--model is given twice; one model is run.");
      return OPTION_REFUSED;
    }
    if (!parse_models("--model", value, &choice->named)) return OPTION_REFUSED;
    if (choice->named.count == 1) return OPTION_TAKEN;
    usage_error("--model has %zu names; give one.", choice->named.count);
    return OPTION_REFUSED;
  case OPTION_ONE_CONFIG:
    choice->config = value;
    return OPTION_TAKEN;
  default:
    return take_dimension_option(&choice->dimensions, code, value);
  }
}

size_t model_ways(const ModelChoice *choice) {
  return (size_t)(choice->named.count > 0) + (size_t)(choice->config != NULL) +
         (size_t)dimensions_given(&choice->dimensions);
}

int model_read(const ModelChoice *choice, const char *weights, AttendModel *model, char *error) {
  AttendStatus status = ATTEND_OK;
  error[0] = '\0';
  if (choice->named.count > 0) {
    *model = choice->named.items[0];
  } else if (dimensions_given(&choice->dimensions)) {
    return dimensions_model(&choice->dimensions, model) ? EXIT_SUCCESS : EXIT_USAGE;
  } else if (choice->config != NULL) {
    status = attend_read_config(choice->config, model, error, ATTEND_FILE_ERROR_SIZE);
  } else {
    status = attend_read_config_beside(weights, model, error, ATTEND_FILE_ERROR_SIZE);
  }
  return status == ATTEND_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
