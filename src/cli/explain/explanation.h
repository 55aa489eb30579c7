/* explanation.h - everything that one `attend explain` has computed, and how it is printed.
 *
 * The command gathers it, a writer prints it; the writers compute nothing.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_EXPLANATION_H
#define ATTEND_SRC_CLI_EXPLAIN_EXPLANATION_H

#include "cli/explain/seek.h"
#include "cli/lesson/lesson_run.h"

/* Raised when a member of the JSON form changes its meaning or goes away; new members do not. */
#define EXPLAIN_SCHEMA_VERSION 1
/* Larger matrices are in the JSON without their elements. */
#define EXPLAIN_JSON_ELEMENTS ((size_t)1 << 16)

typedef struct Explanation {
  const Lesson *lesson;
  Trace traces[ATTEND_PATH_COUNT]; /* by path, or naive alone */
  size_t trace_count;
  Trace by_sum;           /* of a lesson of one query; else empty */
  Trace rounded;          /* of traces[0]; empty unless asked for */
  const SeekResult *seek; /* null: nothing was sought */
  const char *path_note;  /* why this path and not naive; "" if it was asked for */
  AttendPlan plan;
  AttendStatus plan_status;
} Explanation;

/* The trace that is shown: the first of a path that gave something. There is one. */
static inline const Trace *explanation_shown(const Explanation *explanation) {
  size_t i = 0;
  while (i + 1 < explanation->trace_count && explanation->traces[i].status != ATTEND_OK) i++;
  return &explanation->traces[i];
}

void explanation_print_text(const Explanation *explanation, bool colour);

/* Prints one JSON object. False if memory is short. */
bool explanation_print_json(const Explanation *explanation);

/* The plan alone, as text. */
void explanation_print_plan(const AttendPlan *plan, AttendStatus status);

#endif
