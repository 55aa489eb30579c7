/* path_naive.h - what the naive path's fits() computes for its run(). */
#ifndef ATTEND_SRC_PATHS_PATH_NAIVE_H
#define ATTEND_SRC_PATHS_PATH_NAIVE_H

#include "problem/problem.h"

typedef struct NaiveFit {
  size_t threads;          /* how many heads run at the same time */
  size_t matrices;         /* how many Nq x Nk matrices a thread holds */
  LongestSequence longest; /* each thread has room for it */
  size_t thread_bytes;     /* of workspace */
} NaiveFit;

#endif
