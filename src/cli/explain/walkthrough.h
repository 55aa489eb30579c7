/* walkthrough.h - a lesson step by step, as text: each matrix with name, shape and numbers. */
#ifndef ATTEND_SRC_CLI_EXPLAIN_WALKTHROUGH_H
#define ATTEND_SRC_CLI_EXPLAIN_WALKTHROUGH_H

#include <stdio.h>

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

typedef struct Walk {
  FILE *file;
  const Lesson *lesson;
  bool colour;
  size_t steps; /* printed so far */
} Walk;

/* Digits after the point where nothing else is asked for. */
#define WALK_DIGITS 4

/* The name, the sizes, and what is done to the scores. */
void walk_title(Walk *walk);

/* The matrices of the lesson. */
void walk_inputs(Walk *walk);

/* The matrices of the trace in the order in which they arise, one head after the other. */
void walk_trace(Walk *walk, const Trace *trace);

/* The results with rounded weights, beside the exact ones. */
void walk_rounded(Walk *walk, const Trace *exact, const Trace *rounded);

#endif
