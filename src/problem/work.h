/* work.h - what the core must compute and move for a problem, whichever path does it. */
#ifndef ATTEND_SRC_PROBLEM_WORK_H
#define ATTEND_SRC_PROBLEM_WORK_H

#include "problem/problem.h"
#include "profile.h"

/* FLOPs are those of visible pairs of a query and a key; what a mask or a bias hides is counted.
 * Bytes are those of operands in floats, each moved once. */
typedef struct CoreWork {
  double score_flops;         /* of Q K^T: 2 D per query head and pair */
  double sum_flops;           /* of weights V: 2 Dv */
  double score_operand_bytes; /* Q and K */
  double sum_operand_bytes;   /* V and the output */
  double score_bytes;         /* one score matrix of every query head, visible pairs only */
} CoreWork;

/* Takes time per sequence of the batch, not per row. */
CoreWork work_of(const Problem *problem);

/* Adds the work of a path that forms whole score matrices to a profile. */
void work_count_score_matrices(Profiler *profiler, const CoreWork *work);

#endif
