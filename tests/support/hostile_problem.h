/* hostile_problem.h - core problems whose numbers are hard on a precision. */
#ifndef ATTEND_TESTS_SUPPORT_HOSTILE_PROBLEM_H
#define ATTEND_TESTS_SUPPORT_HOSTILE_PROBLEM_H

#include "tests/support/core_problem.h"

typedef struct Hostile {
  const char *name;
  float key_bias;   /* added to every key, of either sign by channel */
  float query_bias; /* likewise */
  float score;      /* the largest score is about this; 0: as the numbers come */
  size_t outliers;  /* one of so many channels is 100 times as large; 0: none */
  bool cancelling;  /* values come in pairs of opposite sign under equal keys */
} Hostile;

/* One causal head with D = Dv: 150 queries at the end of 300 keys. */
CoreProblem hostile_problem(const Hostile *input, size_t head_dim, uint64_t seed);

#endif
