/* after_weights.h - the part of attention that follows the weights, for weights that no path has
 * formed. */
#ifndef ATTEND_SRC_CLI_LESSON_AFTER_WEIGHTS_H
#define ATTEND_SRC_CLI_LESSON_AFTER_WEIGHTS_H

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

/* Makes the weights [Nq, Nk] of a query head out of the matrices of `from`. False if memory is
 * short or a matrix is missing. */
typedef bool (*MakeWeights)(const Trace *from, size_t head, const Trace *to, Matrix *weights);

/* Adds to `to` the weights and context of every head, and the concat and output that follow from
 * them. `from` is a trace of all heads with masked scores and, in a layer, values; it may be `to`. Keys that are
 * hidden there stay hidden, whatever their values hold; a row whose weights are all 0 has a context
 * of 0. False if memory is short or a matrix is missing. */
bool after_weights(const Lesson *lesson, const Trace *from, MakeWeights make, Trace *to);

#endif
