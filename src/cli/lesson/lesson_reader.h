/* lesson_reader.h - the parts that read a lesson file, and their common types.
 *
 * lesson_text.c owns the file and its JSON, lesson_array.c a matrix in it, lesson_file.c the
 * fields and the lesson they make. A function that returns false has written the sentence.
 */
#ifndef ATTEND_SRC_CLI_LESSON_LESSON_READER_H
#define ATTEND_SRC_CLI_LESSON_LESSON_READER_H

#include <jansson.h>

#include "cli/lesson/lesson_file.h"

/* Which file is read, and where the sentence goes. */
typedef struct LessonReport {
  const char *path;
  char *error; /* LESSON_FILE_ERROR_SIZE */
} LessonReport;

/* Writes "PATH: " and the reason, on one line whatever bytes the file holds, and returns false. */
__attribute__((format(printf, 2, 3))) bool lesson_refuse(const LessonReport *report,
                                                         const char *format, ...);

/* Describes a value, in words that can follow "is". */
#define LESSON_VALUE_SIZE 80
typedef struct LessonValue {
  char text[LESSON_VALUE_SIZE];
} LessonValue;
LessonValue lesson_describe(const json_t *value);

/* Reads a whole file of at most LESSON_FILE_BYTES; *text is to be freed. */
bool lesson_read_text(const LessonReport *report, char **text, size_t *length);

/* Parses text to an object, to be released by json_decref(). */
bool lesson_parse_text(const LessonReport *report, const char *text, size_t length,
                       json_t **object);

/* Reads a field of rank 2 (a matrix) or 1 (a vector: a matrix of one row): arrays of numbers, or
 * the name of a .npy file. Every element is finite. */
bool lesson_read_array(const LessonReport *report, const char *field, const json_t *value,
                       size_t rank, Matrix *matrix);

#endif
