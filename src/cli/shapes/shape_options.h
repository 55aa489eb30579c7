/* shape_options.h - what `attend shapes` was asked for.
 *
 * Sizes come from a preset, a config.json or the command line, where each may be a letter. They all
 * end up as ShapeSizes; no later step knows where they came from.
 */
#ifndef ATTEND_SRC_CLI_SHAPES_SHAPE_OPTIONS_H
#define ATTEND_SRC_CLI_SHAPES_SHAPE_OPTIONS_H

#include "cli/option_table.h"
#include "cli/shapes/shape_report.h"

/* A size as it was typed; null: not given. */
typedef struct ShapeTexts {
  const char *batch, *tokens, *width, *heads, *kv_heads, *head_dim, *value_dim;
} ShapeTexts;

typedef struct ShapeOptions {
  ShapeTexts texts;
  const AttendModel *model; /* --model, or null */
  const char *config;       /* --config, or null */
  unsigned topics;          /* bits of ShapeTopic; 0: not given */
  bool causal, as_mha, quiz, key, markdown, json;
} ShapeOptions;

/* Reads the sizes; *model is filled where the options name one, and *sizes point to it.
 * EXIT_SUCCESS; EXIT_USAGE, or EXIT_FAILURE for a config.json that cannot be used, with the
 * sentence printed. */
int shape_read_sizes(const ShapeOptions *options, AttendModel *model, ShapeSizes *sizes);

#endif
