/* explain_options.c - the options of `attend explain`.
 *
 * Owns the table, what the argument names, and the checks that depend on it. Reads no lesson. */
#include "cli/explain/explain_options.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/explain/explain_pictures.h"
#include "cli/lesson/builtin_lessons.h"

static int read_number(const Option *option, const char *text, float *number) {
  char *end = NULL;
  const float value = strtof(text, &end);
  if (end == text || *end != '\0' || !isfinite(value)) {
    return usage_error("--%s: \"%s\" is not a number; give a finite one, such as 0.5.",
                       option->name, text);
  }
  *number = value;
  return EXIT_SUCCESS;
}

static int read_scale(const Option *option, const char *text, void *field) {
  float value = 0;
  const int status = read_number(option, text, &value);
  if (status == EXIT_SUCCESS && value == 0) {
    return usage_error("--%s: 0 would make all scores equal; give another number.", option->name);
  }
  if (status == EXIT_SUCCESS) *(float *)field = value;
  return status;
}

static int read_heat(const Option *option, const char *text, void *field) {
  if (picture_file_accepts(text)) return read_name(option, text, field);
  return usage_error("--%s: \"%s\" ends in neither .svg nor .png, which say what to draw.",
                     option->name, text);
}

static int read_drawing(const Option *option, const char *text, void *field) {
  if (strcmp(text, EXPLAIN_DRAW_TEXT) == 0) return read_name(option, text, field);
  if (picture_file_accepts(text)) return read_name(option, text, field);
  return usage_error("--%s: \"%s\" ends in neither .svg nor .png; give such a file, or text.",
                     option->name, text);
}

static const char *path_or_all_name(int path) {
  if (path == EXPLAIN_ALL_PATHS) return "all";
  return path != ATTEND_PATH_AUTO ? attend_path_name((AttendPath)path) : NULL;
}

static const char *colour_name(int colour) {
  static const char *const names[] = {"auto", "always", "never"};
  return names[colour];
}

static const Choices paths = {"path", path_or_all_name, .count = EXPLAIN_ALL_PATHS + 1};
static const Choices colours = {"colour", colour_name, .count = COLOUR_NEVER + 1};

#define OPTIONS ExplainOptions
const Option explain_options[] = {
    {HEADING("A model's layer on random data")},
    {GROUP(choice, model_options)},
    {"tokens", "N", SIZE(tokens, 1, TOKENS_MAX), .initial = "50", .help = "tokens"},
    {"seed", "SEED", SIZE(seed, 0, INT64_MAX), .initial = "1", .help = "seed of the random data"},
    {HEADING("What is computed")},
    {"head", "H", SIZE(head, 0, DIMENSION_MAX - 1), .derived = "all; of a model 0",
     .help = "show this query head, counted from 0"},
    {"path", "PATH", CHOICE(path_or_all, paths), .initial = "naive",
     .help = "path that computes; naive shows every matrix, all compares results and times"},
    {"threads", "T", SIZE(threads, 1, THREADS_MAX), .derived = "OpenMP's number",
     .help = "threads"},
    {"isa", "ISA", CHOICE(isa, isa_choices), .initial = "auto",
     .help = "kernels of the tiled path"},
    {"causal", NULL, FLAG(causal), .help = "mask later tokens, whatever the lesson says",
     .rules = {{NOT_WITH, "bidirectional", "they exclude each other"}}},
    {"bidirectional", NULL, FLAG(bidirectional),
     .help = "no causal mask, whatever the lesson says"},
    {"scale", "S", READ(scale, float, read_scale),
     .help = "factor of the scores, in place of 1/sqrt(D) or of the lesson's"},
    {"round", "DIGITS", SIZE(digits, 0, LESSON_ROUND_MAX),
     .help = "also compute the rest from weights rounded to so many digits"},
    {"query", "Q0,Q1,...", TEXT(query),
     .help = "use this query, in a lesson of one query such as by-hand",
     .rules = {{NOT_WITH, "seek", "both set the query"}}},
    {"seek", "GOAL", TEXT(seek),
     .help = "find a query: TOKEN=WEIGHT gives the token at least that weight, TOKEN~TOKEN gives "
             "both the same"},
    {"plan", NULL, FLAG(plan_only),
     .help = "only the plan: path, kernels, tiles, bytes, FLOPs, and the reason against each path "
             "not taken",
     .rules = {{NOT_WITH, "heatmap", "a plan has no scores; leave out --plan"},
               {NOT_WITH, "draw", "a drawing goes with a run; leave out --plan"}}},
    {HEADING("Output")},
    {"json", NULL, FLAG(json), .help = "JSON in place of the text"},
    {"save", "DIR", NAME(save), .help = "write every matrix as .npy into this directory"},
    {"draw", "FILE.svg|.png", READ(draw, const char *, read_drawing),
     .help = "draw the layer with the shapes of the lesson; text prints it"},
    {"heatmap", "FILE.svg|.png", READ(heat, const char *, read_heat),
     .help = "draw scores and weights of the heads that are shown"},
    {"color", "WHEN", CHOICE(colour, colours), .initial = "auto",
     .help = "show sizes by blocks and colour; auto does so on a terminal"},
    {GROUP(common, common_options)},
    {0},
};

bool explain_parse_query(const char *text, float *elements, size_t count) {
  static const Option option = {.name = "query"};
  size_t found = 1;
  for (const char *c = text; *c != '\0'; c++) found += *c == ',';
  if (found != count) {
    usage_error("--query: \"%s\" has %zu number%s; this lesson's keys have %zu.", text, found,
                found == 1 ? "" : "s", count);
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    char item[64];
    const size_t length = strcspn(text, ",");
    snprintf(item, sizeof item, "%.*s", (int)(length < sizeof item ? length : sizeof item - 1),
             text);
    if (read_number(&option, item, &elements[i]) != EXIT_SUCCESS) return false;
    text += length + 1;
  }
  return true;
}

/* The lessons, and the example that is none. */
static const char *example_name(int index) {
  const char *const name = builtin_name_at((size_t)index);
  if (name != NULL) return name;
  return index > 0 && builtin_name_at((size_t)index - 1) != NULL ? BLOCK_MATRIX_NAME : NULL;
}

static const char *example_about(int index) {
  const char *const about = builtin_about_at((size_t)index);
  return about != NULL ? about : "Projecting with [W_0 | W_1] against projecting with each apart";
}

const Choices explain_examples = {"example", example_name, example_about, 16};

static const char *example_at(const void *context, size_t index) {
  (void)context;
  return example_name((int)index);
}

/* An example by its name; else a file, if it looks like one or is there. */
static int take_subject(ExplainOptions *options, const char *name) {
  char examples[256];
  options->name = name;
  options->subject = SUBJECT_MODEL;
  if (name == NULL && options->has_model) return EXIT_SUCCESS;
  choices_list(&explain_examples, " and ", examples, sizeof examples);
  if (name == NULL) {
    return usage_error(
        "explain: nothing to explain is named; give an example (they are %s), a file or "
        "--model NAME.",
        examples);
  }
  options->subject = strcmp(name, BLOCK_MATRIX_NAME) == 0 ? SUBJECT_BLOCKS : SUBJECT_EXAMPLE;
  if (choices_find(&explain_examples, name) >= 0) return EXIT_SUCCESS;
  options->subject = SUBJECT_FILE;
  if (strpbrk(name, "/.") != NULL || access(name, F_OK) == 0) return EXIT_SUCCESS;
  const char *const nearest = nearest_name(name, example_at, NULL);
  if (nearest != NULL) {
    return usage_error("explain: there is no example \"%s\"; did you mean %s?", name, nearest);
  }
  return usage_error("explain: there is no example and no file \"%s\"; the examples are %s.", name,
                     examples);
}

/* Options that a subject has no use for; `names` are separated by spaces. */
static int refuse(const CommandLine *line, const char *names, const char *why) {
  char name[ATTEND_NAME_SIZE];
  while (option_next_name(&names, name)) {
    if (option_given(line, name)) return usage_error("--%s: %s.", name, why);
  }
  return EXIT_SUCCESS;
}

static int check_blocks(const CommandLine *line, const ExplainOptions *options) {
  if (options->all_paths) {
    return usage_error("--path: block-matrix takes one of tiled, blas and naive.");
  }
  int status = refuse(line, "plan save draw heatmap",
                      "block-matrix compares products and has nothing to draw, to save or to plan");
  if (status == EXIT_SUCCESS) {
    status = refuse(line, "causal bidirectional scale head",
                    "block-matrix has neither heads, mask nor scale to set");
  }
  return status;
}

static int check_subject(const CommandLine *line, const ExplainOptions *options) {
  const bool lesson = options->subject == SUBJECT_EXAMPLE || options->subject == SUBJECT_FILE;
  int status = options->subject == SUBJECT_BLOCKS ? check_blocks(line, options) : EXIT_SUCCESS;
  if (status == EXIT_SUCCESS && lesson) {
    status = refuse(line, "tokens", "this lesson has its own tokens");
  }
  if (status == EXIT_SUCCESS && lesson) {
    status = refuse(line, "model config d-model",
                    "a lesson of its own is named as well; give one of them");
  }
  if (status == EXIT_SUCCESS && !lesson) {
    status = refuse(line, "query seek", "queries are for a lesson of one query, such as by-hand");
  }
  if (status == EXIT_SUCCESS && !lesson) {
    status = refuse(line, "round", "rounding by hand is for a lesson that fits on paper");
  }
  return status;
}

/* What depends on the values of two options. */
static int check_values(const ExplainOptions *o) {
  if (o->draw != NULL && strcmp(o->draw, EXPLAIN_DRAW_TEXT) == 0 && o->json) {
    return usage_error("--draw: text and JSON would go to the same place; name a file.");
  }
  if (o->draw != NULL && o->heat != NULL && strcmp(o->draw, o->heat) == 0) {
    return usage_error("%s would be written by both --draw and --heatmap; name two files.",
                       o->draw);
  }
  if (o->round >= 0 && !o->all_paths && o->path != ATTEND_PATH_NAIVE) {
    return usage_error("--round: rounding goes on from the values that the naive path shows; leave "
                       "out --path %s.",
                       attend_path_name(o->path));
  }
  return isa_is_usable(o->isa) ? EXIT_SUCCESS : EXIT_USAGE;
}

int explain_complete_options(const CommandLine *line, ExplainOptions *options) {
  int status = EXIT_SUCCESS;
  options->has_model = model_is_chosen(&options->choice);
  if (options->has_model) status = model_read_chosen(&options->choice, &options->model);
  options->path_given = option_given(line, "path");
  options->all_paths = options->path_or_all == EXPLAIN_ALL_PATHS;
  options->path = options->all_paths ? ATTEND_PATH_NAIVE : (AttendPath)options->path_or_all;
  options->round = option_given(line, "round") ? (int)options->digits : LESSON_NOT_ROUNDED;
  if (!option_given(line, "head")) options->head = SIZE_MAX;
  if (status == EXIT_SUCCESS) status = take_subject(options, line->operand);
  if (status == EXIT_SUCCESS) status = check_subject(line, options);
  return status == EXIT_SUCCESS ? check_values(options) : status;
}
