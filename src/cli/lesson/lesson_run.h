/* lesson_run.h - runs a lesson through the library and keeps every matrix on the way.
 *
 * The calls are attend_layer_forward() and attend_core_forward(), the same that `attend bench`
 * times.
 */
#ifndef ATTEND_SRC_CLI_LESSON_LESSON_RUN_H
#define ATTEND_SRC_CLI_LESSON_LESSON_RUN_H

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

/* How lessons are run. */
typedef struct RunSettings {
  AttendIsa isa;
  size_t threads; /* 0: OpenMP's number */
  size_t first_head, head_count;
  bool timed; /* also measure a call without a tap */
} RunSettings;

/* A lesson with its weights packed, ready to be run by any path. */
typedef struct LessonRun {
  const Lesson *lesson;
  RunSettings settings;
  AttendWeights *weights; /* null for a core */
} LessonRun;

/* Packs the weights. False with the sentence in error[LESSON_ERROR_SIZE]. */
bool lesson_run_open(const Lesson *lesson, const RunSettings *settings, LessonRun *run,
                     char *error);
void lesson_run_close(LessonRun *run);

/* Runs the lesson by one path. If the path refuses, trace->status and reason say so. Returns
 * false only if memory for the trace is missing. The trace is to be freed in either case. Weights by
 * sum are made from the naive path's matrices, so the other paths refuse them; AUTO is then the
 * naive path. */
bool lesson_run_trace(const LessonRun *run, AttendPath path, Normalization normalization,
                      Trace *trace);

/* Plans the lesson, by its shape alone; AUTO as above. Returns the library's status. */
AttendStatus lesson_plan(const Lesson *lesson, const RunSettings *settings, AttendPath path,
                         AttendPlan *plan);

#endif
