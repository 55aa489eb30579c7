/* explain_options.c - reads the arguments of `attend explain`; refuses contradictions. */
#include "cli/explain/explain_options.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/explain/explain_pictures.h"
#include "cli/lesson/builtin_lessons.h"

#define TOKENS_DEFAULT 50
#define TOKENS_MAX ((size_t)1 << 24)
#define THREADS_MAX 1024

enum {
  OPTION_MODEL = OPTION_FIRST_OWN,
  OPTION_CONFIG,
  OPTION_TOKENS,
  OPTION_HEAD,
  OPTION_SEED,
  OPTION_PATH,
  OPTION_THREADS,
  OPTION_ISA,
  OPTION_ROUND,
  OPTION_QUERY,
  OPTION_SEEK,
  OPTION_SCALE,
  OPTION_CAUSAL,
  OPTION_BIDIRECTIONAL,
  OPTION_PLAN,
  OPTION_SAVE,
  OPTION_DRAW,
  OPTION_HEAT,
  OPTION_JSON,
  OPTION_COLOUR,
};

static const struct option explain_options[] = {
    COMMON_OPTIONS,
    DIMENSION_OPTIONS,
    {"model", required_argument, NULL, OPTION_MODEL},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"tokens", required_argument, NULL, OPTION_TOKENS},
    {"head", required_argument, NULL, OPTION_HEAD},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"path", required_argument, NULL, OPTION_PATH},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"isa", required_argument, NULL, OPTION_ISA},
    {"round", required_argument, NULL, OPTION_ROUND},
    {"query", required_argument, NULL, OPTION_QUERY},
    {"seek", required_argument, NULL, OPTION_SEEK},
    {"scale", required_argument, NULL, OPTION_SCALE},
    {"causal", no_argument, NULL, OPTION_CAUSAL},
    {"bidirectional", no_argument, NULL, OPTION_BIDIRECTIONAL},
    {"plan", no_argument, NULL, OPTION_PLAN},
    {"save", required_argument, NULL, OPTION_SAVE},
    {"draw", required_argument, NULL, OPTION_DRAW},
    {"heatmap", required_argument, NULL, OPTION_HEAT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"color", required_argument, NULL, OPTION_COLOUR},
    {0},
};

static bool parse_number(const char *option, const char *text, float *number) {
  char *end = NULL;
  const float value = strtof(text, &end);
  if (end != text && *end == '\0' && isfinite(value)) {
    *number = value;
    return true;
  }
  usage_error("%s: \"%s\" is not a number; give a finite one, such as 0.5.", option, text);
  return false;
}

static bool parse_scale(const char *text, float *scale) {
  float value = 0;
  if (!parse_number("--scale", text, &value)) return false;
  if (value == 0) {
    usage_error("--scale: 0 would make all scores equal; give another number.");
    return false;
  }
  *scale = value;
  return true;
}

static bool parse_colour(const char *text, ExplainColour *colour) {
  static const char *const names[] = {"auto", "always", "never"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    *colour = (ExplainColour)i;
    return true;
  }
  usage_error("--color: \"%s\" is none of auto, always and never.", text);
  return false;
}

static bool parse_one_path(ExplainOptions *options, const char *text) {
  options->path_given = true;
  options->all_paths = strcmp(text, "all") == 0;
  if (options->all_paths) return true;
  if (attend_find_path(text, &options->path) && options->path != ATTEND_PATH_AUTO) return true;
  usage_error("--path: there is no path \"%s\"; give tiled, blas, naive or all.", text);
  return false;
}

bool explain_parse_query(const char *text, float *elements, size_t count) {
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
    if (!parse_number("--query", item, &elements[i])) return false;
    text += length + 1;
  }
  return true;
}

/* Options without a value. False if code is none of them. */
static bool take_flag(ExplainOptions *options, int code) {
  switch (code) {
  case OPTION_CAUSAL:
    options->causal = true;
    return true;
  case OPTION_BIDIRECTIONAL:
    options->bidirectional = true;
    return true;
  case OPTION_PLAN:
    options->plan_only = true;
    return true;
  case OPTION_JSON:
    options->json = true;
    return true;
  default:
    return false;
  }
}

static bool take_round(ExplainOptions *options, const char *value) {
  size_t digits = 0;
  if (!parse_size("--round", value, 0, LESSON_ROUND_MAX, &digits)) return false;
  options->round = (int)digits;
  return true;
}

/* Stores one option. An exit status; EXIT_SUCCESS to go on. */
static int take_option(ExplainOptions *options, int code, const char *value) {
  const OptionTaken common = take_common_option(&options->common, code, value);
  if (common != OPTION_FOREIGN) return common == OPTION_TAKEN ? EXIT_SUCCESS : EXIT_USAGE;
  const OptionTaken dimension = take_dimension_option(&options->dimensions, code, value);
  if (dimension != OPTION_FOREIGN) return dimension == OPTION_TAKEN ? EXIT_SUCCESS : EXIT_USAGE;
  if (take_flag(options, code)) return EXIT_SUCCESS;
  bool taken = true;
  switch (code) {
  case OPTION_MODEL:
    taken = parse_models("--model", value, &options->models);
    break;
  case OPTION_CONFIG:
    return append_config("--config", value, &options->models) ? EXIT_SUCCESS : EXIT_FAILURE;
  case OPTION_TOKENS:
    taken = parse_size("--tokens", value, 1, TOKENS_MAX, &options->tokens);
    break;
  case OPTION_HEAD:
    taken = parse_size("--head", value, 0, DIMENSION_MAX - 1, &options->head);
    break;
  case OPTION_SEED:
    taken = parse_size("--seed", value, 0, INT64_MAX, &options->seed);
    break;
  case OPTION_PATH:
    taken = parse_one_path(options, value);
    break;
  case OPTION_THREADS:
    taken = parse_size("--threads", value, 1, THREADS_MAX, &options->threads);
    break;
  case OPTION_ISA:
    taken = parse_isa("--isa", value, &options->isa);
    break;
  case OPTION_ROUND:
    taken = take_round(options, value);
    break;
  case OPTION_SCALE:
    taken = parse_scale(value, &options->scale);
    break;
  case OPTION_COLOUR:
    taken = parse_colour(value, &options->colour);
    break;
  case OPTION_QUERY:
    options->query = value;
    break;
  case OPTION_SEEK:
    options->seek = value;
    break;
  case OPTION_DRAW:
    options->draw = value;
    break;
  case OPTION_HEAT:
    options->heat = value;
    break;
  default:
    options->save = value;
    break;
  }
  return taken ? EXIT_SUCCESS : EXIT_USAGE;
}

static const char *example_at(const void *context, size_t index) {
  (void)context;
  const char *const name = builtin_name_at(index);
  if (name != NULL) return name;
  return index > 0 && builtin_name_at(index - 1) != NULL ? BLOCK_MATRIX_NAME : NULL;
}

/* An example by its name; else a file, if it looks like one or is there. */
static int take_subject(ExplainOptions *options, const char *name) {
  options->name = name;
  for (size_t i = 0; example_at(NULL, i) != NULL; i++) {
    if (strcmp(example_at(NULL, i), name) != 0) continue;
    options->subject = strcmp(name, BLOCK_MATRIX_NAME) == 0 ? SUBJECT_BLOCKS : SUBJECT_EXAMPLE;
    return EXIT_SUCCESS;
  }
  options->subject = SUBJECT_FILE;
  if (strpbrk(name, "/.") != NULL || access(name, F_OK) == 0) return EXIT_SUCCESS;
  const char *const nearest = nearest_name(name, example_at, NULL);
  if (nearest != NULL) {
    return usage_error("explain: there is no example \"%s\"; did you mean %s?", name, nearest);
  }
  return usage_error(
      "explain: there is no example and no file \"%s\"; the examples are single-head, "
      "block-matrix, multi-head, by-hand and causal.",
      name);
}

/* The one model that is asked for by name, by file or by dimensions, if any. */
static int complete_model(ExplainOptions *options) {
  if (dimensions_given(&options->dimensions)) {
    if (options->models.count > 0) {
      return usage_error("explain: --d-model and its kin stand beside a model; give either.");
    }
    if (!dimensions_model(&options->dimensions, &options->models.items[0])) return EXIT_USAGE;
    options->models.count = 1;
  }
  if (options->models.count > 1) {
    return usage_error("explain: %zu models are given; one is explained at a time.",
                       options->models.count);
  }
  return EXIT_SUCCESS;
}

static int refuse(const char *option, const char *why) {
  return usage_error("%s: %s", option, why);
}

/* Options that only some subjects have a use for. */
static int check_subject(const ExplainOptions *o) {
  const bool sized = o->subject == SUBJECT_MODEL || o->subject == SUBJECT_BLOCKS;
  const bool of_model = o->subject == SUBJECT_MODEL;
  if (o->tokens != 0 && !sized) return refuse("--tokens", "this lesson has its own tokens.");
  if (o->models.count > 0 && !sized) {
    return refuse("--model", "a lesson of its own is named as well; give either.");
  }
  if (o->subject == SUBJECT_BLOCKS) {
    if (o->json && o->plan_only) return refuse("--plan", "block-matrix has no plan.");
    if (o->plan_only)
      return refuse("--plan", "block-matrix has no plan; give a model or a lesson.");
    if (o->save != NULL) return refuse("--save", "block-matrix has no steps to save.");
    if (o->all_paths) return refuse("--path", "block-matrix takes one of tiled, blas and naive.");
    if (o->causal || o->bidirectional || o->scale != 0 || o->head != SIZE_MAX) {
      return refuse("block-matrix", "products have neither heads, mask nor scale to set.");
    }
  }
  if ((of_model || o->subject == SUBJECT_BLOCKS) && (o->query != NULL || o->seek != NULL)) {
    return refuse(o->query != NULL ? "--query" : "--seek",
                  "queries are for a lesson of one query, such as by-hand.");
  }
  if (sized && o->round >= 0) {
    return refuse("--round", "rounding by hand is for a lesson that fits on paper.");
  }
  return EXIT_SUCCESS;
}

static int check_isa(AttendIsa isa) {
  AttendMachine machine;
  attend_describe_machine(&machine);
  if (isa == ATTEND_ISA_AUTO || machine.isa_usable[isa]) return EXIT_SUCCESS;
  return usage_error("--isa: %s is not usable here; the widest that is usable is %s.",
                     attend_isa_name(isa), attend_isa_name(machine.isa_best));
}

/* Pictures go into files whose names say their form, each into its own, and need a run. */
static int check_pictures(const ExplainOptions *o) {
  const bool text = o->draw != NULL && strcmp(o->draw, EXPLAIN_DRAW_TEXT) == 0;
  const char *const option = o->draw != NULL ? "--draw" : "--heatmap";
  if (o->draw == NULL && o->heat == NULL) return EXIT_SUCCESS;
  if (o->subject == SUBJECT_BLOCKS) return refuse(option, "block-matrix has nothing to draw.");
  if (o->heat != NULL && o->plan_only) {
    return refuse("--heatmap", "a plan has no scores; leave out --plan.");
  }
  if (o->draw != NULL && o->plan_only)
    return refuse("--draw", "it goes with a run; leave out --plan.");
  if (text && o->json) {
    return refuse("--draw", "text and JSON would go to the same place; name a file.");
  }
  if (o->draw != NULL && !text && !picture_file_accepts(o->draw)) {
    return usage_error("--draw: \"%s\" ends in neither .svg nor .png; give such a file, or text.",
                       o->draw);
  }
  if (o->heat != NULL && !picture_file_accepts(o->heat)) {
    return usage_error("--heatmap: \"%s\" ends in neither .svg nor .png, which say what to draw.",
                       o->heat);
  }
  if (o->draw != NULL && o->heat != NULL && strcmp(o->draw, o->heat) == 0) {
    return usage_error("%s would be written by both --draw and --heatmap; name two files.",
                       o->draw);
  }
  return EXIT_SUCCESS;
}

static int complete_options(ExplainOptions *options) {
  int status = complete_model(options);
  if (status != EXIT_SUCCESS) return status;
  if (options->name == NULL) {
    if (options->models.count == 0) {
      return usage_error("explain: nothing to explain is named; give an example (single-head, "
                         "block-matrix, multi-head, by-hand, causal), a file or --model NAME.");
    }
    options->subject = SUBJECT_MODEL;
  }
  status = check_subject(options);
  if (status == EXIT_SUCCESS) status = check_pictures(options);
  if (status != EXIT_SUCCESS) return status;
  if (options->causal && options->bidirectional) {
    return usage_error("--causal and --bidirectional exclude each other; give one.");
  }
  if (options->query != NULL && options->seek != NULL) {
    return usage_error("--query and --seek both set the query; give one.");
  }
  if (options->round >= 0 && options->path_given && !options->all_paths &&
      options->path != ATTEND_PATH_NAIVE) {
    return usage_error("--round: rounding goes on from the values that the naive path shows; leave "
                       "out --path %s.",
                       attend_path_name(options->path));
  }
  if (options->tokens == 0) options->tokens = TOKENS_DEFAULT;
  return check_isa(options->isa);
}

int explain_read_options(int argc, char **argv, ExplainOptions *options) {
  *options = (ExplainOptions){
      .seed = 1, .head = SIZE_MAX, .path = ATTEND_PATH_NAIVE, .round = LESSON_NOT_ROUNDED};
  opterr = 0;
  int code;
  while ((code = getopt_long(argc, argv, ":h", explain_options, NULL)) != -1) {
    if (code == '?' || code == ':') return bad_option("explain", code, argv, explain_options);
    if (code == 'h') {
      options->help = true;
      return EXIT_SUCCESS;
    }
    const int taken = take_option(options, code, optarg);
    if (taken != EXIT_SUCCESS) return taken;
  }
  if (optind + 1 < argc) {
    return usage_error("explain: \"%s\" and \"%s\" are two lessons; one is explained at a time.",
                       argv[optind], argv[optind + 1]);
  }
  if (optind < argc) {
    const int taken = take_subject(options, argv[optind]);
    if (taken != EXIT_SUCCESS) return taken;
  }
  return complete_options(options);
}
