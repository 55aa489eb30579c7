/* builtin_problems.h - the examples of `attend explain`, whose numbers stand on handouts.
 *
 * A built-in example is a problem like one from a file; only block-matrix, which is a comparison,
 * has no problem of its own (block_matrix.h).
 */
#ifndef ATTEND_SRC_CLI_BUILTIN_PROBLEMS_H
#define ATTEND_SRC_CLI_BUILTIN_PROBLEMS_H

#include "cli/lesson/given_problem.h"

/* Names and summaries of the examples that are problems, in a fixed order; null beyond. */
const char *builtin_name_at(size_t index);
const char *builtin_about_at(size_t index);

/* Fills the example of that name. False if there is none, or if memory is short. */
bool builtin_find(const char *name, GivenProblem *problem);

#endif
