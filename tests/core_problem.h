/* core_problem.h - a core call with its data, its layout and what the oracle expects of it. */
#ifndef ATTEND_TESTS_CORE_PROBLEM_H
#define ATTEND_TESTS_CORE_PROBLEM_H

#include "tests/oracle.h"
#include "tests/support.h"

/* How the four operands of a core call lie in memory. */
typedef enum Layout {
  LAYOUT_BNHD,   /* heads side by side */
  LAYOUT_BHND,   /* heads apart */
  LAYOUT_NBHD,   /* batch inside tokens */
  LAYOUT_FUSED,  /* Q, K, V as chunks of one [B, N, Hq*D + Hk*D + Hk*Dv]; wants Nq == Nk */
  LAYOUT_PADDED, /* BNHD with gaps after every row and token, starting at an odd offset */
  LAYOUT_SHARED, /* BHND, and one K and V for the whole batch: batch stride 0 */
} Layout;
#define LAYOUT_COUNT 6

typedef struct CoreCase {
  AttendShape shape;
  Layout layout;
  bool bidirectional;
  int64_t q_start;
  float scale;
  float bound;   /* of Q and K; 0 means 1. V is always in [-1, 1]. */
  uint64_t seed; /* 0 means 1 */
} CoreCase;

/* A case with its data. Whatever the views do not reach in their buffers is NaN. */
typedef struct CoreProblem {
  CoreCase spec;
  AttendOptions options;
  AttendView query, key, value;
  float *buffers[3];
  double *out, *magnitude, *spread; /* [B, Nq, Hq, Dv], filled by problem_expect() */
  OracleRow *rows;                  /* [B, Hq, Nq] */
} CoreProblem;

CoreProblem problem_new(const CoreCase *spec);
void problem_free(CoreProblem *problem);

/* Where element 0 of a row of the operand stands, for tests that change data. */
float *problem_row(const AttendView *view, size_t batch, size_t token, size_t head);

/* Runs the oracle on the data as they are now. */
void problem_expect(CoreProblem *problem);

/* Runs the problem on a context and compares output and LSE with what the oracle expects; checks
 * that nothing but the output's elements was written. */
void problem_check(const CoreProblem *problem, AttendContext *context, Engine engine,
                   size_t threads);

/* Opens a context for the engine, checks, closes. */
void problem_check_engine(const CoreProblem *problem, Engine engine, size_t threads);

/* Builds the case, expects, checks it on all engines with `threads` threads, and frees it. */
void check_case(const CoreCase *spec, size_t threads);

/* Plans the shape on the engine's path; failing fails the test. */
AttendPlan plan_of(Engine engine, const AttendShape *shape, const AttendOptions *options);

/* One sequence of two query heads that share a kv head, D = Dv = 32. */
AttendShape shape_of(size_t query_tokens, size_t key_tokens);

/* The tiles of a tiled engine for such a shape. */
void tile_of(Engine engine, size_t *query_tile, size_t *key_tile);

#endif
