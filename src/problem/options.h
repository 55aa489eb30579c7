/* options.h - checks of AttendOptions that need no data of the operands. */
#ifndef ATTEND_SRC_OPTIONS_H
#define ATTEND_SRC_OPTIONS_H

#include "problem/problem.h"
#include "problem/shape.h"

/* Checks that options, null for the defaults, were initialised and that every number is in its
 * range. */
AttendStatus options_check(const AttendOptions *options, Fault *fault);

/* Checks offsets, lengths and starts of the sequences against the sizes of `problem`, whose options
 * are set. */
AttendStatus options_check_sequences(const Problem *problem, Fault *fault);

/* Checks the arrays that the options point to: alignment, and that out and lse lie apart from
 * them. */
AttendStatus options_check_arrays(const Problem *problem, Span out, Span lse, Fault *fault);

#endif
