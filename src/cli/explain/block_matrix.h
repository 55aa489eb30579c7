/* block_matrix.h - A [B_0 | B_1] = [A B_0 | A B_1], shown and measured on a layer's projections.
 *
 * This is why a layer may keep the weights of all heads in one matrix: projecting with the heads'
 * matrices side by side and splitting the columns gives the same as projecting with each apart.
 */
#ifndef ATTEND_SRC_CLI_EXPLAIN_BLOCK_MATRIX_H
#define ATTEND_SRC_CLI_EXPLAIN_BLOCK_MATRIX_H

#include <stdio.h>

#include "cli/lesson/lesson.h"
#include "cli/lesson/lesson_run.h"

/* One product of one size, fused against apart. */
typedef struct BlockProduct {
  double difference;      /* the largest, over all heads */
  double magnitude;       /* the largest |element|, to compare it with */
  size_t equal, elements; /* elements that are equal, of how many */
} BlockProduct;

typedef struct BlockComparison {
  char name[ATTEND_NAME_SIZE];
  AttendLayerShape shape;
  size_t tokens;
  BlockProduct products[3]; /* Q, K, V */
} BlockComparison;

/* Computes both ways on seeded random data through the path. False with the sentence in
 * error[LESSON_ERROR_SIZE]. */
bool block_compare(const AttendModel *model, size_t tokens, size_t seed, AttendPath path,
                   const RunSettings *settings, BlockComparison *comparison, char *error);

/* The class size: E = 64, two heads of 32. */
AttendModel block_class_model(void);

/* Prints the identity on two small matrices, computed by the library. */
bool block_print_identity(FILE *file, AttendPath path, const RunSettings *settings, char *error);

void block_print_comparison(FILE *file, const BlockComparison *comparison);

#endif
