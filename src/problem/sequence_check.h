/* sequence_check.h - checks of the sequences of a batch. */
#ifndef ATTEND_SRC_PROBLEM_SEQUENCE_CHECK_H
#define ATTEND_SRC_PROBLEM_SEQUENCE_CHECK_H

#include "problem/problem.h"

/* Checks offsets, lengths and starts in the options of a problem against its sizes and its cache. */
AttendStatus sequence_check(const Problem *problem, Fault *fault);

#endif
