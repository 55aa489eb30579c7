/* trace.h - the matrices that arose on one way through a lesson.
 *
 * Names are those of the library's taps (query, key, value, scores, capped_scores, masked_scores,
 * weights, context, concat, output), and two that the tool adds: unscaled_scores (Q K^T) and mask,
 * which is added to the scores: 0 or -inf, or other numbers where a mask holds them.
 */
#ifndef ATTEND_SRC_CLI_LESSON_TRACE_H
#define ATTEND_SRC_CLI_LESSON_TRACE_H

#include "attend/attend.h"
#include "cli/lesson/matrix.h"
#include "cli/lesson/normalization.h"

#define TRACE_NAME_SIZE 24

typedef struct TraceMatrix {
  char name[TRACE_NAME_SIZE];
  bool of_head;
  size_t head; /* query head, or kv head of key and value; 0 if !of_head */
  Matrix matrix;
} TraceMatrix;

typedef struct Trace {
  AttendPath path;
  Normalization normalization;
  int round;           /* digits that the weights were rounded to, or LESSON_NOT_ROUNDED */
  AttendStatus status; /* OK, or why the path gave nothing */
  char reason[ATTEND_REASON_SIZE]; /* the sentence that goes with it */
  double seconds;                  /* of one call; 0: not timed */
  size_t first_head, head_count;   /* query heads whose matrices are kept */
  size_t count, capacity;
  TraceMatrix *items;
  bool out_of_memory; /* a matrix is missing */
} Trace;

/* Takes over the matrix. If there is one of that name and head already, the new one is freed. */
void trace_add(Trace *trace, const char *name, bool of_head, size_t head, Matrix *matrix);

/* The matrix of that name and head (0 for one that is of no head); null if it did not arise. */
const Matrix *trace_find(const Trace *trace, const char *name, size_t head);

void trace_free(Trace *trace);

/* The largest difference over all matrices of that name that both traces have; false if there are
 * none. */
bool trace_difference(const Trace *a, const Trace *b, const char *name, double *difference);

/* The names in the order in which matrices arise; null beyond. */
const char *trace_name_at(size_t index);

#endif
