/* kv_head.h - one kv head of one sequence in the hands of one thread: what each step of the tiled
 * path reads. */
#ifndef ATTEND_SRC_TILED_KV_HEAD_H
#define ATTEND_SRC_TILED_KV_HEAD_H

#include "tiled/tiling.h"

/* One call of the tiled path, read by all of its threads. */
typedef struct Job {
  AttendContext *context;
  const Kernels *kernels;
  const Problem *problem;
  const Tiling *tiling;
  const SequencePlan *plans; /* [B], the most work first */
  void *workspace;
} Job;

typedef struct KvHead {
  const Job *job;
  const SequencePlan *plan;
  size_t g;               /* number of the kv head */
  const Scratch *scratch; /* of the thread */
} KvHead;

/* Rows of a kv head: all query heads of its group, token by token. */
static inline size_t row_token(const Problem *p, size_t row) {
  return row / p->group;
}

static inline size_t row_head(const Problem *p, size_t g, size_t row) {
  return g * p->group + row % p->group;
}

/* The keys that a row sees. */
static inline KeyRange row_range(const KvHead *head, size_t row) {
  const Problem *const p = head->job->problem;
  return problem_range(p, &head->plan->sequence, row_token(p, row));
}

#endif
