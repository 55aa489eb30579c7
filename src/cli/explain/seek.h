/* seek.h - finds a query that gives a token the weight that one wants.
 *
 * The score of a key is linear in the query, so the logarithm of a softmax weight is concave in the
 * query. Either a token's weight grows to 1 along some direction, or there is a largest weight that
 * any query can give it. The search finds which, and says how.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_SEEK_H
#define ATTEND_SRC_CLI_EXPLAIN_SEEK_H

#include "cli/lesson/lesson.h"

#define SEEK_TEXT_SIZE 1024

/* What is asked for: "cat=0.9", at least that weight; "cat~chases", equal weights. */
typedef struct SeekGoal {
  size_t token, other; /* equal if no second token is asked for */
  double weight;       /* of token; or of both together */
} SeekGoal;

typedef struct SeekResult {
  Matrix query;  /* [1, D] */
  double weight; /* that the goal's token (or both together) gets by softmax */
  bool reached;  /* the weight that was asked for; an equal split is reached at any weight */
  char how[SEEK_TEXT_SIZE];
} SeekResult;

/* Reads a goal. A token is its label, "label#N" where several tokens have it, or its number N from
 * 0. False with the sentence in error[LESSON_ERROR_SIZE]. */
bool seek_parse(const Lesson *lesson, const char *text, SeekGoal *goal, char *error);

/* Looks for a query of a lesson by_hand_applies() to. False with the sentence in error if memory
 * is short or the token is hidden. result->query is to be freed. */
bool seek_query(const Lesson *lesson, const SeekGoal *goal, SeekResult *result, char *error);

#endif
