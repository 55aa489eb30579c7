/* model_choice.h - options for the one model that a command works with.
 *
 * By name, by a config.json or by dimensions: the tables let one of them through. A command that
 * has weights falls back on the config.json beside them.
 */
#ifndef ATTEND_SRC_CLI_UTIL_MODEL_CHOICE_H
#define ATTEND_SRC_CLI_UTIL_MODEL_CHOICE_H

#include "cli/option_table.h"

/* A layer given by its dimensions in place of a model; 0: not given. */
typedef struct DimensionOptions {
  size_t width, heads, kv_heads, head_dim, value_dim;
} DimensionOptions;

typedef struct ModelChoice {
  const AttendModel *named; /* --model, or null */
  const char *config;       /* --config, or null */
  DimensionOptions dimensions;
} ModelChoice;

extern const Option model_options[];     /* of a ModelChoice */
extern const Option dimension_options[]; /* of DimensionOptions */

/* Names of all rows but --model and --config, for rules. */
#define DIMENSION_NAMES "d-model heads kv-heads head-dim value-dim"

/* Whether the command line names a model. */
bool model_is_chosen(const ModelChoice *choice);

/* Reads the model: as it was chosen, else the config.json beside `weights`, which may be null if
 * there is a choice. EXIT_SUCCESS, or the exit status with the sentence in error
 * (ATTEND_FILE_ERROR_SIZE bytes) and nothing printed; "" there if it has been printed, for
 * dimensions that make no layer. */
int model_read(const ModelChoice *choice, const char *weights, AttendModel *model, char *error);

/* The same for a choice that was made. EXIT_SUCCESS, or an exit status with the sentence printed. */
int model_read_chosen(const ModelChoice *choice, AttendModel *model);

/* Reads a config.json for --config. EXIT_SUCCESS, or EXIT_FAILURE with the sentence printed. */
int model_read_config(const char *path, AttendModel *model);

/* The layer of these dimensions, with the defaults of the table, no biases, one layer, and a name
 * made of its sizes. EXIT_SUCCESS, or EXIT_USAGE with the sentence printed if they do not make a
 * layer. */
int dimensions_model(const DimensionOptions *dimensions, AttendModel *model);

#endif
