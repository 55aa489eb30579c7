/* builtin_lessons.h - the examples of `attend explain`, whose numbers stand on handouts.
 *
 * A built-in example is a lesson like one from a file. Only block-matrix, a comparison, is none
 * (block_matrix.h).
 */
#ifndef ATTEND_SRC_CLI_LESSON_BUILTIN_LESSONS_H
#define ATTEND_SRC_CLI_LESSON_BUILTIN_LESSONS_H

#include "cli/lesson/lesson.h"

/* Names and summaries of the examples that are lessons, in a fixed order; null beyond. */
const char *builtin_name_at(size_t index);
const char *builtin_about_at(size_t index);

/* Fills the example of that name. False if there is none, or if memory is short. */
bool builtin_find(const char *name, Lesson *lesson);

#endif
