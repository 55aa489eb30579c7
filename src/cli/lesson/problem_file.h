/* problem_file.h - a problem for `attend explain` out of a JSON file.
 *
 * docs/problems.md describes the fields. Nothing in the file is trusted: what cannot be used gives
 * one sentence with the file, the place in it and what would be right.
 */
#ifndef ATTEND_SRC_CLI_PROBLEM_FILE_H
#define ATTEND_SRC_CLI_PROBLEM_FILE_H

#include "cli/lesson/given_problem.h"

/* Larger files and deeper brackets are refused before they are parsed. Large arrays are for
 * .npy. */
#define PROBLEM_FILE_BYTES ((size_t)16 << 20)
#define PROBLEM_FILE_DEPTH 8

/* Room for any sentence, the path of the file included. */
#define PROBLEM_ERROR_SIZE 1024

/* Reads and completes a problem. False with the sentence (without a full stop) in
 * error[PROBLEM_ERROR_SIZE]; *problem is then empty. On success given_free() frees it. */
bool problem_file_read(const char *path, GivenProblem *problem, char *error);

/* The same of text in memory, which `path` names in the sentence; names of .npy files in it are
 * relative to path's directory. */
bool problem_file_parse(const char *path, const char *text, size_t length, GivenProblem *problem,
                        char *error);

#endif
