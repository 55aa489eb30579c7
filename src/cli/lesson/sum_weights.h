/* sum_weights.h - weights that are scores divided by their sum, as one does by hand. */
#ifndef ATTEND_SRC_CLI_LESSON_SUM_WEIGHTS_H
#define ATTEND_SRC_CLI_LESSON_SUM_WEIGHTS_H

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

/* Whether sum_weights_add() makes the matrix of that name. */
bool sum_weights_make(const char *name);

/* Adds to a naive trace of all heads, which goes as far as the masked scores, the weights
 * w_j = s_j / sum s over the scores s that a row sees, and the context, concat and output that
 * follow from them. A row whose scores add up to 0 has weights and a context of 0. False if memory
 * is short; the trace is to be freed in either case. */
bool sum_weights_add(const Lesson *lesson, Trace *trace);

#endif
