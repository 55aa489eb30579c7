/* by_hand.h - one query against a few keys, as on paper: weights by sum beside weights by
 * softmax.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_BY_HAND_H
#define ATTEND_SRC_CLI_EXPLAIN_BY_HAND_H

#include <stdio.h>

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

/* Whether a lesson is of this kind: Q, K and V given, one head, one query. */
bool by_hand_applies(const Lesson *lesson);

/* Prints both ways side by side, with a bar for each weight. The traces are of the naive path. */
void by_hand_print(FILE *file, const Lesson *lesson, const Trace *by_sum, const Trace *by_softmax,
                   bool colour);

#endif
