/* problem_run.h - a given problem through the library, with every matrix on the way kept.
 *
 * The calls are attend_layer_forward() and attend_core_forward(), the same that `attend bench`
 * times.
 */
#ifndef ATTEND_SRC_CLI_PROBLEM_RUN_H
#define ATTEND_SRC_CLI_PROBLEM_RUN_H

#include "cli/lesson/given_problem.h"
#include "cli/lesson/trace.h"

/* How problems are run. */
typedef struct RunSettings {
  AttendIsa isa;
  size_t threads; /* 0: OpenMP's number */
  size_t first_head, head_count;
  bool timed; /* also measure a call without a tap */
} RunSettings;

/* A problem with its weights packed, ready to be run by any path. */
typedef struct ProblemRun {
  const GivenProblem *problem;
  RunSettings settings;
  AttendWeights *weights; /* null for a core */
} ProblemRun;

/* Packs the weights. False with the sentence in error[GIVEN_ERROR_SIZE]. */
bool problem_run_open(const GivenProblem *problem, const RunSettings *settings, ProblemRun *run,
                      char *error);
void problem_run_close(ProblemRun *run);

/* Runs the problem by one path. What the path refuses is in trace->status and reason; false only if
 * memory for the trace is missing. The trace is to be freed in either case. */
bool problem_run_trace(const ProblemRun *run, AttendPath path, AttendNormalization normalization,
                       Trace *trace);

/* Plans the problem, of which only the shape is looked at. Returns what the library says. */
AttendStatus problem_plan(const GivenProblem *problem, const RunSettings *settings, AttendPath path,
                          AttendPlan *plan);

#endif
