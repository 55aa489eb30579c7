/* fuzz_problem.c - any bytes as a problem file of `attend explain`, and what was read is run.
 *
 * A problem that was read must be one that runs: given_complete() has judged its shapes, so that
 * the library refuses it for its path or its options at most. A refusal must have a sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lesson/problem_file.h"
#include "cli/lesson/problem_run.h"

/* Larger problems say nothing new and take time. */
#define ELEMENTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const GivenProblem *problem) {
  const AttendLayerShape *const s = &problem->shape;
  if (problem->query_tokens * problem->key_tokens > ELEMENTS_MAX || s->query_heads > 64 ||
      s->head_dim > 256 || s->value_dim > 256 || s->width > 256) {
    return;
  }
  const RunSettings settings = {.threads = 1, .head_count = s->query_heads};
  char error[GIVEN_ERROR_SIZE];
  ProblemRun opened;
  if (!problem_run_open(problem, &settings, &opened, error)) abort();
  for (int path = ATTEND_PATH_TILED; path < ATTEND_PATH_COUNT; path++) {
    Trace trace;
    if (!problem_run_trace(&opened, (AttendPath)path, problem->normalization, &trace)) abort();
    const bool refused = trace.status != ATTEND_OK;
    if (refused && (path == ATTEND_PATH_NAIVE || trace.reason[0] == '\0')) abort();
    trace_free(&trace);
  }
  problem_run_close(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* The parser gets a copy of exactly this size, so that a read past its end is seen. */
  char *const text = malloc(size > 0 ? size : 1);
  if (text == NULL) return 0;
  if (size > 0) memcpy(text, data, size);
  GivenProblem problem;
  char error[PROBLEM_ERROR_SIZE];
  if (problem_file_parse("/nowhere/problem.json", text, size, &problem, error)) {
    run(&problem);
  } else if (error[0] == '\0') {
    abort();
  }
  given_free(&problem);
  free(text);
  return 0;
}
