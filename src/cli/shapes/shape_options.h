/* shape_options.h - what `attend shapes` was asked for.
 *
 * Sizes come from a preset, a config.json or the command line, where each may be a letter; in the
 * end they are ShapeSizes in every case, and nothing after this knows where they came from.
 */
#ifndef ATTEND_SRC_CLI_SHAPE_OPTIONS_H
#define ATTEND_SRC_CLI_SHAPE_OPTIONS_H

#include "cli/options.h"
#include "cli/shapes/shape_report.h"

typedef enum ShapeForm { SHAPE_TEXT, SHAPE_MARKDOWN, SHAPE_JSON } ShapeForm;

/* A size as it was typed; null: not given. */
typedef struct ShapeTexts {
  const char *batch, *tokens, *width, *heads, *kv_heads, *head_dim, *value_dim;
} ShapeTexts;

typedef struct ShapeOptions {
  ShapeTexts texts;
  ModelList models; /* one at most */
  ShapeSizes sizes; /* points into this struct */
  unsigned topics;  /* bits of ShapeTopic; 0 until the sizes are known, if none were asked for */
  bool as_mha, quiz, key, markdown, json;
  bool help; /* print the help and nothing else */
} ShapeOptions;

/* Reads the arguments. EXIT_SUCCESS; EXIT_USAGE, or EXIT_FAILURE for a config.json that cannot be
 * used, with the sentence printed. */
int shape_read_options(int argc, char **argv, ShapeOptions *options);

#endif
