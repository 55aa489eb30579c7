/* core_problem.h - a core call with its data, its options and what the oracle expects of it. */
#ifndef ATTEND_TESTS_SUPPORT_CORE_PROBLEM_H
#define ATTEND_TESTS_SUPPORT_CORE_PROBLEM_H

#include "tests/support/core_options.h"
#include "tests/support/support.h"

/* A case with its data. Whatever the views do not reach in their buffers is NaN. */
typedef struct CoreProblem {
  CoreCase spec;
  AttendOptions options;
  OptionData data; /* what the options point to */
  AttendView query, key, value;
  float *buffers[3];
  bool fp32_only;            /* infinities are multiplied, which the terms of others make NaN */
  AttendPrecision precision; /* whose errors are allowed: fp32, until somebody sets another */
  double *out, *magnitude, *spread; /* [B, Nq, Hq, Dv], filled by problem_expect() */
  OracleRow *rows;                  /* [B, Hq, Nq]; of a ragged batch [Hq, total] */
} CoreProblem;

CoreProblem problem_new(const CoreCase *spec);
void problem_free(CoreProblem *problem);

/* Makes keys and values numbers that a storage holds exactly. */
void problem_store(CoreProblem *problem, AttendStorage storage);

/* Where element 0 of a row of the operand stands, for tests that change data. */
float *problem_row(const AttendView *view, size_t batch, size_t token, size_t head);

/* The same for the mask, whose key_stride is 1 if the case leaves no gaps. */
uint8_t *problem_mask_row(const CoreProblem *problem, size_t batch, size_t head, size_t token);

/* Guarded, untouched memory for the problem's output, in the layout of its operands. */
float *problem_new_output(const CoreProblem *problem, AttendOutputView *out, size_t *extent);

/* The problem in the oracle's words, reading the problem's own data. */
OracleCore problem_oracle(const CoreProblem *problem);

/* The largest relative error of a product of two numbers as the precision forms it, beyond that of
 * sums in fp32. */
double product_error(AttendPrecision precision);

/* Runs the oracle on the data as they are now, for the problem's precision. */
void problem_expect(CoreProblem *problem);

/* Plans the shape on the engine's path; failing fails the test. */
AttendPlan plan_of(Engine engine, const AttendShape *shape, const AttendOptions *options);

/* One sequence of two query heads that share a kv head, D = Dv = 32. */
AttendShape shape_of(size_t query_tokens, size_t key_tokens);

/* The tiles of a tiled engine for such a shape. */
void tile_of(Engine engine, size_t *query_tile, size_t *key_tile);

#endif
