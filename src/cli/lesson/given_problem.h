/* given_problem.h - a problem that `attend explain` is given: what goes into a layer or its core.
 *
 * Either X and weights (a layer), or Q, K and V (a core), with W_o if heads are to be projected
 * back. It comes from a file, from a built-in example or from a model's sizes and a seed. After
 * given_complete() the shape is known and every matrix fits it; nobody checks again.
 */
#ifndef ATTEND_SRC_CLI_GIVEN_PROBLEM_H
#define ATTEND_SRC_CLI_GIVEN_PROBLEM_H

#include "attend/attend.h"
#include "cli/lesson/matrix.h"

/* ITEM(NAME, FIELD): the matrices that may be given, by the names of files and of output. */
#define GIVEN_MATRICES(ITEM)                                                                       \
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

typedef enum GivenName {
#define GIVEN_DECLARE(name, field) GIVEN_##name,
  GIVEN_MATRICES(GIVEN_DECLARE)
#undef GIVEN_DECLARE
      GIVEN_COUNT
} GivenName;

#define GIVEN_TEXT_SIZE 256
#define GIVEN_LABEL_SIZE 32
#define GIVEN_ERROR_SIZE 512
#define GIVEN_NOT_ROUNDED (-1)
#define GIVEN_ROUND_MAX 9 /* digits after the point; a float has no more */

typedef struct GivenLabel {
  char text[GIVEN_LABEL_SIZE];
} GivenLabel;

typedef struct GivenProblem {
  char name[GIVEN_TEXT_SIZE];
  char about[GIVEN_TEXT_SIZE]; /* one sentence, or "" */
  Matrix matrices[GIVEN_COUNT];

  /* heads and kv_heads are given; the rest of the shape follows from the matrices. */
  AttendLayerShape shape; /* width: of X, or of the output; 0 without either */
  size_t query_tokens, key_tokens;

  bool causal;
  float scale; /* 0: 1/sqrt(D) */
  AttendNormalization normalization;
  uint8_t *mask;      /* [Nq, Nk], 1 shows the key to the query; or null */
  int round;          /* digits of the weights when one goes on by hand, or GIVEN_NOT_ROUNDED */
  GivenLabel *labels; /* [Nk], or null */

  /* A model's layer has these as well; they are random like its other weights. */
  bool of_model;
  AttendModel model;
  Matrix query_norm, key_norm, sinks;
} GivenProblem;

/* The name of a matrix in files and in output. */
const char *given_name(GivenName name);

static inline bool given_has(const GivenProblem *problem, GivenName name) {
  return problem->matrices[name].data != NULL;
}

/* Whether it is a layer (X and weights) rather than a core (Q, K and V). */
static inline bool given_is_layer(const GivenProblem *problem) {
  return problem->shape.width > 0 && !given_has(problem, GIVEN_Q);
}

/* The empty problem: one head, bidirectional, softmax. */
void given_init(GivenProblem *problem);
void given_free(GivenProblem *problem);

/* Derives the shape and checks that every matrix fits it. False with the sentence, which begins
 * with the name of the matrix, in error[GIVEN_ERROR_SIZE]. The mask and the labels are not looked
 * at: their sizes are the shape's. */
bool given_complete(GivenProblem *problem, char *error);

/* The options of a library call on it. Points into *problem. */
AttendOptions given_options(const GivenProblem *problem);

/* What the scores are multiplied by. */
float given_scale(const GivenProblem *problem);

/* The label of a key's or a query's token: its text, or its number written into *text. Fewer
 * queries than keys are those of the last tokens. */
const char *given_key_label(const GivenProblem *problem, size_t key, GivenLabel *text);
const char *given_query_label(const GivenProblem *problem, size_t query, GivenLabel *text);

#endif
