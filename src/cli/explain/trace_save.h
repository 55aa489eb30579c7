/* trace_save.h - every intermediate matrix as a .npy file, for a notebook. */
#ifndef ATTEND_SRC_CLI_EXPLAIN_TRACE_SAVE_H
#define ATTEND_SRC_CLI_EXPLAIN_TRACE_SAVE_H

#include "cli/lesson/lesson.h"
#include "cli/lesson/trace.h"

/* Writes the matrices of the lesson (X.npy, W_q.npy, ...) and those of the trace (weights.npy, or
 * weights_3.npy of head 3 where there are several heads) into a directory, which is made if its
 * parent is there. False, with the sentence in error[LESSON_ERROR_SIZE], at the first file that
 * cannot be written; *files counts those that were. */
bool trace_save(const char *directory, const Lesson *lesson, const Trace *trace, size_t *files,
                char *error);

#endif
