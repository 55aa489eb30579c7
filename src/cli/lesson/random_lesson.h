/* random_lesson.h - a layer of a model's sizes with seeded random weights and activations. */
#ifndef ATTEND_SRC_CLI_LESSON_RANDOM_LESSON_H
#define ATTEND_SRC_CLI_LESSON_RANDOM_LESSON_H

#include "cli/lesson/lesson.h"

/* The sizes and options of the model's first layer over `tokens` tokens, without any data: enough
 * for a plan. */
void random_lesson_outline(const AttendModel *model, size_t tokens, Lesson *lesson);

/* The same with data: x in [-1, 1), weights of variance 1/in, queries six times as large so that a
 * softmax has something to choose from, as in `attend bench`. False if memory is short; *lesson is
 * then empty. */
bool random_lesson_fill(const AttendModel *model, size_t tokens, size_t seed, Lesson *lesson);

#endif
