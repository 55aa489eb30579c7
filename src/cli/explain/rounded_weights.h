/* rounded_weights.h - continues with rounded weights, as one does on paper. */
#ifndef ATTEND_SRC_CLI_EXPLAIN_ROUNDED_WEIGHTS_H
#define ATTEND_SRC_CLI_EXPLAIN_ROUNDED_WEIGHTS_H

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

/* Fills `rounded` with the weights of an exact trace of all heads rounded to `digits` digits after
 * the point, and with the context, concat and output that follow from them. False if memory is
 * short; the trace is to be freed in either case. */
bool rounded_trace(const Lesson *lesson, const Trace *exact, int digits, Trace *rounded);

/* The number nearest to `value` with so many digits after the point. */
float round_to(float value, int digits);

#endif
