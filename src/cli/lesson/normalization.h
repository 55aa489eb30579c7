/* normalization.h - how a row of scores becomes weights, in a lesson.
 *
 * The library knows softmax alone. Dividing by the sum is a step to compare softmax with; the tool
 * makes it from the naive path's masked scores (sum_weights.h).
 */
#ifndef ATTEND_SRC_CLI_LESSON_NORMALIZATION_H
#define ATTEND_SRC_CLI_LESSON_NORMALIZATION_H

typedef enum Normalization {
  NORMALIZE_SOFTMAX = 0, /* w_j = exp(s_j) / sum exp(s) */
  NORMALIZE_SUM = 1,     /* w_j = s_j / sum s, as one does by hand */
} Normalization;

#endif
