/* lesson_file.h - reads a lesson for `attend explain` from a JSON file.
 *
 * docs/lessons.md describes the fields. Nothing in the file is trusted: anything
 * that cannot be used gives one sentence with the file, the place in it and what would be right.
 */
#ifndef ATTEND_SRC_CLI_LESSON_LESSON_FILE_H
#define ATTEND_SRC_CLI_LESSON_LESSON_FILE_H

#include "cli/lesson/lesson.h"

/* Larger files and deeper brackets are refused before they are parsed. Large arrays belong in .npy
 * files. */
#define LESSON_FILE_BYTES ((size_t)16 << 20)
#define LESSON_FILE_DEPTH 8

/* Room for any sentence, the path of the file included. */
#define LESSON_FILE_ERROR_SIZE 1024

/* Reads and completes a lesson. False with the sentence (without a full stop) in
 * error[LESSON_FILE_ERROR_SIZE]; *lesson is then empty. On success lesson_free() frees it. */
bool lesson_file_read(const char *path, Lesson *lesson, char *error);

/* The same of text in memory, which `path` names in the sentence; names of .npy files in it are
 * relative to path's directory. */
bool lesson_file_parse(const char *path, const char *text, size_t length, Lesson *lesson,
                       char *error);

#endif
