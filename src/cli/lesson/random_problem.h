/* random_problem.h - a layer of a model's sizes with seeded random weights and activations. */
#ifndef ATTEND_SRC_CLI_RANDOM_PROBLEM_H
#define ATTEND_SRC_CLI_RANDOM_PROBLEM_H

#include "cli/lesson/given_problem.h"

/* The sizes and options of the model's first layer over `tokens` tokens, without any data: enough
 * for a plan. */
void random_problem_outline(const AttendModel *model, size_t tokens, GivenProblem *problem);

/* The same with data: x in [-1, 1), weights of variance 1/in, queries six times as large so that a
 * softmax has something to choose from, as in `attend bench`. False if memory is short; *problem is
 * then empty. */
bool random_problem_fill(const AttendModel *model, size_t tokens, size_t seed,
                         GivenProblem *problem);

#endif
