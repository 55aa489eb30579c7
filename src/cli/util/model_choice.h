/* model_choice.h - the one model that a command works with, whichever way it is given.
 *
 * Built like the shared options of options.h. By name, by a config.json or by dimensions: at most
 * one of them; a command that has weights falls back on the config.json beside them.
 */
#ifndef ATTEND_SRC_CLI_MODEL_CHOICE_H
#define ATTEND_SRC_CLI_MODEL_CHOICE_H

#include "cli/options.h"

typedef struct ModelChoice {
  ModelList named;    /* --model: at most one */
  const char *config; /* --config, or null */
  DimensionOptions dimensions;
} ModelChoice;

#define MODEL_OPTIONS                                                                              \
  {"model", required_argument, NULL, OPTION_ONE_MODEL},                                            \
      {"config", required_argument, NULL, OPTION_ONE_CONFIG}, DIMENSION_OPTIONS

#define MODEL_OPTIONS_HELP                                                                         \
  "  --model NAME           a model by its name; attend info --models lists them\n"                \
  "  --config FILE          a model by its config.json\n" DIMENSION_OPTIONS_HELP

OptionTaken take_model_option(ModelChoice *choice, int code, const char *value);

/* In how many of the three ways a model was given. */
size_t model_ways(const ModelChoice *choice);

/* Reads the model: as it was chosen, else the config.json beside `weights`, which may be null if
 * there is a choice. EXIT_SUCCESS, or the exit status with the sentence in error
 * (ATTEND_FILE_ERROR_SIZE bytes) and nothing printed; "" there if it has been printed, for
 * dimensions that make no layer. */
int model_read(const ModelChoice *choice, const char *weights, AttendModel *model, char *error);

#endif
