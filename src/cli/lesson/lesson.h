/* lesson.h - an example of numbers for `attend explain`: what goes into a layer, or into its core.
 *
 * A lesson holds either X and weights (a layer), or Q, K and V (a core), with W_o if the heads are
 * to be projected back. It comes from a file, is built in, or is made from a model's sizes and a
 * seed. After lesson_complete() the shape is known and every matrix fits it; nobody checks again.
 */
#ifndef ATTEND_SRC_CLI_LESSON_LESSON_H
#define ATTEND_SRC_CLI_LESSON_LESSON_H

#include "attend/attend.h"
#include "cli/lesson/matrix.h"
#include "cli/lesson/normalization.h"

/* ITEM(NAME, FIELD): the matrices that may be given, by the names of files and of output. */
#define LESSON_MATRICES(ITEM)                                                                      \
  ITEM(X, "X")                                                                                     \
  ITEM(W_Q, "W_q")                                                                                 \
  ITEM(W_K, "W_k")                                                                                 \
  ITEM(W_V, "W_v")                                                                                 \
  ITEM(W_QKV, "W_qkv")                                                                             \
  ITEM(B_Q, "b_q")                                                                                 \
  ITEM(B_K, "b_k")                                                                                 \
  ITEM(B_V, "b_v")                                                                                 \
  ITEM(B_QKV, "b_qkv")                                                                             \
  ITEM(Q, "Q")                                                                                     \
  ITEM(K, "K")                                                                                     \
  ITEM(V, "V")                                                                                     \
  ITEM(W_O, "W_o")                                                                                 \
  ITEM(B_O, "b_o")

typedef enum LessonMatrix {
#define LESSON_DECLARE(name, field) LESSON_##name,
  LESSON_MATRICES(LESSON_DECLARE)
#undef LESSON_DECLARE
      LESSON_MATRIX_COUNT
} LessonMatrix;

#define LESSON_TEXT_SIZE 256
#define LESSON_LABEL_SIZE 32
#define LESSON_ERROR_SIZE 512
#define LESSON_NOT_ROUNDED (-1)
#define LESSON_ROUND_MAX 9 /* digits after the point; a float has no more */

typedef struct LessonLabel {
  char text[LESSON_LABEL_SIZE];
} LessonLabel;

typedef struct Lesson {
  char name[LESSON_TEXT_SIZE];
  char about[LESSON_TEXT_SIZE]; /* one sentence, or "" */
  Matrix matrices[LESSON_MATRIX_COUNT];

  /* heads and kv_heads are given; the rest of the shape follows from the matrices. */
  AttendLayerShape shape; /* width: of X, or of the output; 0 without either */
  size_t query_tokens, key_tokens;

  bool causal;
  float scale; /* 0: 1/sqrt(D) */
  Normalization normalization;
  uint8_t *mask;       /* [Nq, Nk], 1 shows the key to the query; or null */
  int round;           /* digits that weights are rounded to by hand, or LESSON_NOT_ROUNDED */
  LessonLabel *labels; /* [Nk], or null */

  /* Only a model's layer has these; they are random like its other weights. */
  bool of_model;
  AttendModel model;
  Matrix query_norm, key_norm, sinks;
} Lesson;

/* The name of a matrix in files and in output. */
const char *lesson_matrix_name(LessonMatrix name);

static inline bool lesson_has(const Lesson *lesson, LessonMatrix name) {
  return lesson->matrices[name].data != NULL;
}

/* Whether it is a layer (X and weights) rather than a core (Q, K and V). */
static inline bool lesson_is_layer(const Lesson *lesson) {
  return lesson->shape.width > 0 && !lesson_has(lesson, LESSON_Q);
}

/* The empty lesson: one head, bidirectional, softmax. */
void lesson_init(Lesson *lesson);
void lesson_free(Lesson *lesson);

/* Derives the shape and checks that every matrix fits it. False with the sentence, which begins
 * with the name of the matrix, in error[LESSON_ERROR_SIZE]. It does not look at
 * the mask and the labels, whose sizes follow from the shape. */
bool lesson_complete(Lesson *lesson, char *error);

/* The options of a library call on it. Points into *lesson. */
AttendOptions lesson_options(const Lesson *lesson);

/* What the scores are multiplied by. */
float lesson_scale(const Lesson *lesson);

/* The label of a key's or a query's token: its text, or its number written into *text. Fewer
 * queries than keys are those of the last tokens. */
const char *lesson_key_label(const Lesson *lesson, size_t key, LessonLabel *text);
const char *lesson_query_label(const Lesson *lesson, size_t query, LessonLabel *text);

#endif
