/* problem_parts.h - what the parts of the problem file's reader share.
 *
 * problem_text.c owns the file and its JSON, problem_array.c a matrix in it, problem_file.c the
 * fields and the problem they make. A function that returns false has written the sentence.
 */
#ifndef ATTEND_SRC_CLI_PROBLEM_PARTS_H
#define ATTEND_SRC_CLI_PROBLEM_PARTS_H

#include <jansson.h>

#include "cli/lesson/problem_file.h"

/* Which file is read, and where the sentence goes. */
typedef struct ProblemReport {
  const char *path;
  char *error; /* PROBLEM_ERROR_SIZE */
} ProblemReport;

/* Writes "PATH: " and the reason, on one line whatever bytes the file holds, and returns false. */
__attribute__((format(printf, 2, 3))) bool problem_refuse(const ProblemReport *report,
                                                          const char *format, ...);

/* What a value is, in words that can follow "is". */
#define PROBLEM_VALUE_SIZE 80
typedef struct ProblemValue {
  char text[PROBLEM_VALUE_SIZE];
} ProblemValue;
ProblemValue problem_describe(const json_t *value);

/* Reads a whole file of at most PROBLEM_FILE_BYTES; *text is to be freed. */
bool problem_read_text(const ProblemReport *report, char **text, size_t *length);

/* Parses text to an object, to be released by json_decref(). */
bool problem_parse_text(const ProblemReport *report, const char *text, size_t length,
                        json_t **object);

/* Reads a field of rank 2 (a matrix) or 1 (a vector: a matrix of one row): arrays of numbers, or
 * the name of a .npy file. Every element is finite. */
bool problem_read_array(const ProblemReport *report, const char *field, const json_t *value,
                        size_t rank, Matrix *matrix);

#endif
