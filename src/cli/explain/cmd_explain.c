/* cmd_explain.c - `attend explain`: a small lesson, or a model's layer, matrix by matrix.
 *
 * Owns the command's order of events and its exit status: options, the core of OpenBLAS, the
 * lesson, the runs, then one page of text or one JSON object, then the files. Nothing is printed
 * before everything has been computed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/explain/block_json.h"
#include "cli/explain/block_matrix.h"
#include "cli/explain/by_hand.h"
#include "cli/explain/explain_options.h"
#include "cli/explain/explain_pictures.h"
#include "cli/explain/explanation.h"
#include "cli/explain/rounded_weights.h"
#include "cli/explain/trace_save.h"
#include "cli/lesson/builtin_lessons.h"
#include "cli/lesson/lesson_file.h"
#include "cli/lesson/random_lesson.h"
#include "cli/util/blas_core.h"

/* With more FLOPs than this, some ten seconds of plain loops, the naive path runs only on
 * request. */
#define NAIVE_FLOPS 2e10
#define NOTE_SIZE 160

static bool wants_colour(const ExplainOptions *options) {
  if (options->colour != COLOUR_AUTO) return options->colour == COLOUR_ALWAYS;
  const char *const terminal = getenv("TERM"), *const refused = getenv("NO_COLOR");
  const bool dumb = terminal == NULL || strcmp(terminal, "dumb") == 0;
  return isatty(STDOUT_FILENO) && !dumb && (refused == NULL || refused[0] == '\0');
}

static int load_model(const ExplainOptions *options, Lesson *lesson) {
  const AttendModel *const model = &options->model;
  if (options->plan_only) {
    random_lesson_outline(model, options->tokens, lesson);
    return EXIT_SUCCESS;
  }
  if (random_lesson_fill(model, options->tokens, options->seed, lesson)) return EXIT_SUCCESS;
  return failure("memory for the weights of %s and %zu tokens is missing; --plan needs none.",
                 model->name, options->tokens);
}

static int load_lesson(const ExplainOptions *options, Lesson *lesson) {
  char error[LESSON_FILE_ERROR_SIZE];
  switch (options->subject) {
  case SUBJECT_MODEL:
    return load_model(options, lesson);
  case SUBJECT_FILE:
    if (lesson_file_read(options->name, lesson, error)) return EXIT_SUCCESS;
    return failure("%s.", error);
  default:
    if (builtin_find(options->name, lesson)) return EXIT_SUCCESS;
    return failure("memory for the example is missing.");
  }
}

/* Options take the place of what the lesson says. */
static int apply_options(const ExplainOptions *options, Lesson *lesson) {
  if (options->causal) lesson->causal = true;
  if (options->bidirectional) lesson->causal = false;
  if (options->scale != 0) lesson->scale = options->scale;
  if (options->round >= 0) lesson->round = options->round;
  if ((options->query != NULL || options->seek != NULL) && !by_hand_applies(lesson)) {
    return usage_error(
        "%s: queries can be set in a lesson of one query and one head, given by Q, K "
        "and V, such as by-hand.",
        options->query != NULL ? "--query" : "--seek");
  }
  if (options->head != SIZE_MAX && options->head >= lesson->shape.query_heads) {
    return usage_error("--head: there is no head %zu; this lesson has heads 0 to %zu.",
                       options->head, lesson->shape.query_heads - 1);
  }
  if (options->head != SIZE_MAX && lesson->round >= 0) {
    return usage_error(
        "--head: rounding goes on with all heads; leave out --head or the rounding.");
  }
  if (options->query != NULL &&
      !explain_parse_query(options->query, lesson->matrices[LESSON_Q].data,
                           lesson->shape.head_dim)) {
    return EXIT_USAGE;
  }
  return EXIT_SUCCESS;
}

/* Finds the query and puts it in the place of the lesson's own. */
static int seek(const ExplainOptions *options, Lesson *lesson, SeekResult *result) {
  char error[LESSON_ERROR_SIZE];
  SeekGoal goal;
  if (!seek_parse(lesson, options->seek, &goal, error)) return usage_error("--seek: %s.", error);
  if (!seek_query(lesson, &goal, result, error)) return failure("--seek: %s.", error);
  memcpy(lesson->matrices[LESSON_Q].data, result->query.data,
         lesson->shape.head_dim * sizeof(float));
  return EXIT_SUCCESS;
}

static RunSettings run_settings(const ExplainOptions *options, const Lesson *lesson) {
  RunSettings settings = {
      .isa = options->isa, .threads = options->threads, .timed = options->all_paths};
  settings.head_count = lesson->shape.query_heads;
  if (options->head != SIZE_MAX || lesson->of_model) {
    settings.first_head = options->head != SIZE_MAX ? options->head : 0;
    settings.head_count = 1;
  }
  return settings;
}

/* The paths to run, and a note where the naive one is left out unasked. */
static size_t choose_paths(const ExplainOptions *options, const Explanation *e,
                           AttendPath paths[ATTEND_PATH_COUNT], char note[NOTE_SIZE]) {
  if (options->all_paths) {
    paths[0] = ATTEND_PATH_NAIVE;
    paths[1] = ATTEND_PATH_BLAS;
    paths[2] = ATTEND_PATH_TILED;
    return 3;
  }
  paths[0] = options->path;
  const double flops = e->plan.core_flops + e->plan.projection_flops;
  if (!options->path_given && e->plan_status == ATTEND_OK && flops > NAIVE_FLOPS &&
      e->lesson->round < 0) {
    paths[0] = e->plan.path;
    snprintf(note, NOTE_SIZE,
             "Path %s, because %.0f GFLOP would keep plain loops busy for long; --path naive runs "
             "them anyway.",
             attend_path_name(paths[0]), flops / 1e9);
  }
  return 1;
}

/* Runs each path. Fails only if there is nothing to show. */
static int run_paths(const LessonRun *run, const AttendPath *paths, size_t count, Explanation *e) {
  const Lesson *const lesson = run->lesson;
  const bool by_hand = by_hand_applies(lesson);
  const Normalization way = by_hand ? NORMALIZE_SOFTMAX : lesson->normalization;
  size_t shown = 0;
  for (size_t i = 0; i < count; i++) {
    Trace *const trace = &e->traces[e->trace_count++];
    if (!lesson_run_trace(run, paths[i], way, trace)) {
      return failure("memory for the matrices on the way is missing.");
    }
    shown += trace->status == ATTEND_OK;
  }
  if (shown == 0) return failure("%s.", e->traces[0].reason);
  if (by_hand && !lesson_run_trace(run, ATTEND_PATH_NAIVE, NORMALIZE_SUM, &e->by_sum)) {
    return failure("memory for the matrices on the way is missing.");
  }
  if (lesson->round >= 0 && e->traces[0].status == ATTEND_OK &&
      !rounded_trace(lesson, &e->traces[0], lesson->round, &e->rounded)) {
    return failure("the values that rounding by hand goes on from are missing; --path naive shows "
                   "them.");
  }
  return EXIT_SUCCESS;
}

static int save(const char *directory, const Explanation *e) {
  char error[LESSON_ERROR_SIZE];
  size_t files = 0;
  const Trace *const trace = explanation_shown(e);
  if (!trace_save(directory, e->lesson, trace, &files, error)) {
    return failure("--save: %s.", error);
  }
  notice("%zu matrices of path %s were written to %s.", files, attend_path_name(trace->path),
         directory);
  return EXIT_SUCCESS;
}

static int print(const ExplainOptions *options, const Explanation *e) {
  if (options->json) {
    if (!explanation_print_json(e)) return failure("memory for the output is missing.");
  } else if (options->plan_only) {
    explanation_print_plan(&e->plan, e->plan_status);
  } else {
    explanation_print_text(e, wants_colour(options));
  }
  return finish_stdout();
}

static int explain(const ExplainOptions *options, const Lesson *lesson, const SeekResult *sought,
                   ExplainPictures *pictures) {
  const RunSettings settings = run_settings(options, lesson);
  char note[NOTE_SIZE] = "", error[LESSON_ERROR_SIZE];
  Explanation e = {.lesson = lesson, .seek = sought, .path_note = note};
  const bool one = options->path_given && !options->all_paths;
  e.plan_status = lesson_plan(lesson, &settings, one ? options->path : ATTEND_PATH_AUTO, &e.plan);
  if (options->plan_only) return print(options, &e);

  AttendPath paths[ATTEND_PATH_COUNT];
  const size_t count = choose_paths(options, &e, paths, note);
  LessonRun run;
  if (!lesson_run_open(lesson, &settings, &run, error)) return failure("%s.", error);
  int status = run_paths(&run, paths, count, &e);
  lesson_run_close(&run);
  if (status == EXIT_SUCCESS) {
    explain_pictures_print(pictures, lesson);
    status = print(options, &e);
  }
  if (status == EXIT_SUCCESS)
    status = explain_pictures_write(pictures, lesson, explanation_shown(&e));
  if (status == EXIT_SUCCESS && options->save != NULL) status = save(options->save, &e);
  for (size_t i = 0; i < e.trace_count; i++) trace_free(&e.traces[i]);
  trace_free(&e.by_sum);
  trace_free(&e.rounded);
  return status;
}

static int explain_lesson(const ExplainOptions *options) {
  Lesson lesson;
  SeekResult sought = {0};
  int status = load_lesson(options, &lesson);
  if (status != EXIT_SUCCESS) return status;
  status = apply_options(options, &lesson);
  if (status == EXIT_SUCCESS && options->seek != NULL) status = seek(options, &lesson, &sought);
  ExplainPictures pictures = {0};
  if (status == EXIT_SUCCESS && !explain_pictures_open(&pictures, options->draw, options->heat)) {
    status = EXIT_FAILURE;
  }
  if (status == EXIT_SUCCESS) {
    status = explain(options, &lesson, options->seek != NULL ? &sought : NULL, &pictures);
  }
  explain_pictures_discard(&pictures);
  matrix_free(&sought.query);
  lesson_free(&lesson);
  return status;
}

/* The identity, then the class size, then the width of a model. */
static int explain_blocks(const ExplainOptions *options) {
  const AttendModel class_size = block_class_model();
  const AttendModel *const models[] = {
      &class_size, options->has_model ? &options->model : attend_find_model("qwen2.5-0.5b")};
  const AttendPath path = options->path_given ? options->path : ATTEND_PATH_AUTO;
  const RunSettings settings = {.isa = options->isa, .threads = options->threads};
  BlockComparison comparisons[2];
  char error[LESSON_ERROR_SIZE];
  for (size_t i = 0; i < 2; i++) {
    if (!block_compare(models[i], options->tokens, options->seed, path, &settings, &comparisons[i],
                       error)) {
      return failure("%s.", error);
    }
  }
  if (options->json) {
    if (!block_print_json(comparisons, 2)) return failure("memory for the output is missing.");
    return finish_stdout();
  }
  if (!block_print_identity(stdout, path, &settings, error)) return failure("%s.", error);
  for (size_t i = 0; i < 2; i++) block_print_comparison(stdout, &comparisons[i]);
  return finish_stdout();
}

static int run(const CommandLine *line) {
  ExplainOptions *const options = line->options;
  const int complete = explain_complete_options(line, options);
  if (complete != EXIT_SUCCESS) return complete;
  const int settled =
      blas_core_settle(options->common.blas_core, !options->common.no_restart, line->argv);
  if (settled != EXIT_SUCCESS) return settled;
  return options->subject == SUBJECT_BLOCKS ? explain_blocks(options) : explain_lesson(options);
}

const Command explain_command = {
    .name = "explain",
    .summary = "show every matrix of a small lesson, or of a model's layer",
    .synopsis = "EXAMPLE | FILE.json | --model NAME [OPTION...]",
    .about = "Runs a lesson through the library and shows every matrix on the way, with its name, "
             "its shape and its numbers, and the plan of its size. A file holds X with weights, or "
             "Q, K and V (docs/lessons.md).",
    .options = explain_options,
    .options_size = sizeof(ExplainOptions),
    .operand = "EXAMPLE",
    .operands = &explain_examples,
    .ending = "Exit status: 0; 1 if the lesson cannot be read or run, or a file cannot be written; "
              "2 for wrong usage.",
    .run = run,
};
