/* part_of_problem.h - some of a core problem's rows as a call of their own.
 *
 * Views and options are moved to where the part begins, so that every row of it sees what it sees
 * in the whole problem. The part reads the problem's data, which must outlive it.
 */
#ifndef ATTEND_TESTS_SUPPORT_PART_OF_PROBLEM_H
#define ATTEND_TESTS_SUPPORT_PART_OF_PROBLEM_H

#include "tests/support/core_result.h"

typedef struct Part {
  AttendShape shape;
  AttendOptions options;
  AttendView query, key, value;
} Part;

/* One sequence of the batch, also of a ragged one. Its first position is in options.q_start. */
Part part_of_sequence(const CoreProblem *problem, size_t batch);

/* One kv head and the query heads that share it. */
Part part_of_heads(const CoreProblem *problem, size_t kv_head);

/* Query tokens first .. first + tokens of one sequence, over the keys that causal rows may see. */
Part part_of_tokens(const Part *sequence, size_t first, size_t tokens);

Result part_run(AttendContext *context, const Part *part);

/* Fails unless each sequence alone gives the bits that it gives in the batch. */
void same_alone(const CoreProblem *problem, Engine engine);

/* Calls check with the result of the whole, for chunks of 1, 7, 64 and one token more than a query
 * tile has. */
void same_in_chunks(const CoreProblem *problem, Engine engine,
                    void (*check)(const CoreProblem *problem, Engine engine, size_t chunk,
                                  const Result *expected));

#endif
