/* explain_options.h - what `attend explain` was asked for.
 *
 * Everything that can be refused without reading the lesson is refused here.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_EXPLAIN_OPTIONS_H
#define ATTEND_SRC_CLI_EXPLAIN_EXPLAIN_OPTIONS_H

#include "cli/cli.h"
#include "cli/lesson/lesson_run.h"
#include "cli/util/model_choice.h"

#define BLOCK_MATRIX_NAME "block-matrix"
#define EXPLAIN_ALL_PATHS ATTEND_PATH_COUNT

/* What is explained. */
typedef enum ExplainSubject {
  SUBJECT_EXAMPLE, /* a built-in lesson */
  SUBJECT_FILE,    /* a JSON file */
  SUBJECT_MODEL,   /* a model's sizes on random data */
  SUBJECT_BLOCKS,  /* the block-matrix example */
} ExplainSubject;

typedef enum ExplainColour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } ExplainColour;

typedef struct ExplainOptions {
  CommonOptions common;
  ModelChoice choice;
  AttendModel model; /* that was chosen, if has_model */
  bool has_model;
  ExplainSubject subject;
  const char *name; /* of the example, or the path of the file */
  size_t tokens, seed;
  size_t head; /* SIZE_MAX: not given */
  bool path_given, all_paths;
  int path_or_all; /* AttendPath, or EXPLAIN_ALL_PATHS */
  AttendPath path; /* NAIVE where not given */
  size_t threads;
  AttendIsa isa;
  size_t digits;            /* of --round */
  int round;                /* the same; LESSON_NOT_ROUNDED: not given */
  const char *query, *seek; /* null: not given */
  float scale;              /* 0: not given */
  bool causal, bidirectional;
  ExplainColour colour;
  const char *save, *draw, *heat; /* null: not given */
  bool plan_only, json;
} ExplainOptions;

extern const Option explain_options[]; /* of ExplainOptions */
extern const Choices explain_examples;

/* Finds out what is explained, and refuses what no table can say. EXIT_SUCCESS, or an exit status
 * with the sentence printed. */
int explain_complete_options(const CommandLine *line, ExplainOptions *options);

/* Reads the elements of --query: as many finite numbers as `count`, separated by commas. False with
 * the sentence printed. */
bool explain_parse_query(const char *text, float *elements, size_t count);

#endif
