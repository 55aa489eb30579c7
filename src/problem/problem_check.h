/* problem_check.h - the way to a problem: through its checks. */
#ifndef ATTEND_SRC_PROBLEM_PROBLEM_CHECK_H
#define ATTEND_SRC_PROBLEM_PROBLEM_CHECK_H

#include "problem/problem.h"
#include "problem/shape.h"

/* What a problem is made of, before its views. cache may be null, and is then taken to hold `past`
 * tokens of every sequence if has_cache. */
typedef struct ProblemSizes {
  AttendShape shape; /* key_tokens is not used with a cache */
  bool has_cache, appended;
  const AttendCache *cache;
  size_t past;
} ProblemSizes;

/* Checks sizes and options (not the views), options null for the defaults, and fills `problem`
 * except for its views. */
AttendStatus problem_set_sizes(Problem *problem, const ProblemSizes *sizes,
                               const AttendOptions *options, Fault *fault);

/* Checks the views, their strides and overlaps, and puts them in. Of a problem with a cache, key
 * and value are not looked at. */
AttendStatus problem_set_views(Problem *problem, AttendView query, AttendView key, AttendView value,
                               AttendOutputView out, float *lse, Fault *fault);

/* Checks the arrays that the options point to: alignment, and that out and lse lie apart from
 * them. */
AttendStatus problem_check_arrays(const Problem *problem, Span out, Span lse, Fault *fault);

#endif
