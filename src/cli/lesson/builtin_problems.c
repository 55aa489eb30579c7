/* builtin_problems.c - the numbers of the examples.
 *
 * Small whole numbers, so that every step can be followed on paper. They are data: what they lead
 * to is computed by the library like everything else, and tests/test_explain*.sh hold it against
 * figures worked out by hand.
 */
#include "cli/lesson/builtin_problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct BuiltinMatrix {
  GivenName name;
  size_t rows, columns;
  const float *data;
} BuiltinMatrix;

#define BUILTIN_MATRICES 5

typedef struct Builtin {
  const char *name, *about;
  BuiltinMatrix matrices[BUILTIN_MATRICES]; /* up to the first without data */
  size_t heads;
  bool causal;
  float scale;
  const char *const *tokens; /* one for each key, or null */
} Builtin;

static const Builtin builtins[] = {
    {
        .name = "single-head",
        .about = "One head of dimension 2 over two tokens, without a mask",
        .heads = 1,
        .matrices =
            {
                {GIVEN_X, 2, 2, (const float[]){1, 1, 0, 1}},
                {GIVEN_W_Q, 2, 2, (const float[]){3, -1, 1, 1}},
                {GIVEN_W_K, 2, 2, (const float[]){2, -2, 1, 3}},
                {GIVEN_W_V, 2, 2, (const float[]){2, -2, 0, 2}},
                {GIVEN_W_O, 2, 2, (const float[]){2, 0, 0, 1}},
            },
    },
    {
        .name = "multi-head",
        .about = "Two heads of dimension 2: head 0 looks at its own token, head 1 at the other",
        .heads = 2,
        /* Scores of 15 * 15 / sqrt(2) leave the other key a weight of exactly 0 in fp32. */
        .matrices =
            {
                {GIVEN_Q, 2, 4, (const float[]){15, 0, 0, 15, 0, 15, 15, 0}},
                {GIVEN_K, 2, 4, (const float[]){15, 0, 15, 0, 0, 15, 0, 15}},
                {GIVEN_V, 2, 4, (const float[]){1, 0, 1, 2, 0, 1, 2, 1}},
                {GIVEN_W_O, 4, 4, (const float[]){1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1}},
            },
    },
    {
        .name = "by-hand",
        .about =
            "The last token of a sentence looks back: weights by sum beside weights by softmax",
        .heads = 1,
        .scale = 1,
        .matrices =
            {
                {GIVEN_Q, 1, 2, (const float[]){2, 3}},
                {GIVEN_K, 4, 2, (const float[]){1, 0, 3, 1, 0, 3, 2, 0}},
                {GIVEN_V, 4, 2, (const float[]){0, 0, 4, 1, 2, 2, 0, 0}},
            },
        .tokens = (const char *const[]){"the", "cat", "chases", "the"},
    },
    {
        .name = "causal",
        .about = "Six tokens, of which each sees itself and those before it",
        .heads = 1,
        .causal = true,
        .matrices =
            {
                {GIVEN_Q, 6, 4, (const float[]){1, 0, 2, 0, 0, 2, 1, 0, 1, 1, 0, 2,
                                                2, 0, 0, 1, 0, 1, 2, 1, 1, 2, 0, 0}},
                {GIVEN_K, 6, 4, (const float[]){1, 1, 0, 0, 0, 2, 0, 1, 2, 0, 1, 0,
                                                0, 0, 2, 1, 1, 0, 0, 2, 0, 1, 1, 1}},
                {GIVEN_V, 6, 4, (const float[]){1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0,
                                                0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 1, 2}},
            },
        .tokens = (const char *const[]){"the", "dog", "sees", "a", "small", "cat"},
    },
};

enum { BUILTIN_COUNT = sizeof builtins / sizeof *builtins };

const char *builtin_name_at(size_t index) {
  return index < BUILTIN_COUNT ? builtins[index].name : NULL;
}

const char *builtin_about_at(size_t index) {
  return index < BUILTIN_COUNT ? builtins[index].about : NULL;
}

static bool copy_labels(const Builtin *builtin, GivenProblem *problem) {
  if (builtin->tokens == NULL) return true;
  problem->labels = calloc(problem->key_tokens, sizeof *problem->labels);
  for (size_t i = 0; problem->labels != NULL && i < problem->key_tokens; i++) {
    snprintf(problem->labels[i].text, sizeof problem->labels[i].text, "%s", builtin->tokens[i]);
  }
  return problem->labels != NULL;
}

static bool copy_builtin(const Builtin *builtin, GivenProblem *problem) {
  snprintf(problem->name, sizeof problem->name, "%s", builtin->name);
  snprintf(problem->about, sizeof problem->about, "%s", builtin->about);
  problem->shape.query_heads = problem->shape.kv_heads = builtin->heads;
  problem->causal = builtin->causal;
  problem->scale = builtin->scale;
  for (size_t i = 0; i < BUILTIN_MATRICES && builtin->matrices[i].data != NULL; i++) {
    const BuiltinMatrix *const m = &builtin->matrices[i];
    if (!matrix_copy(m->data, m->rows, m->columns, m->columns, &problem->matrices[m->name])) {
      return false;
    }
  }
  char error[GIVEN_ERROR_SIZE];
  return given_complete(problem, error) && copy_labels(builtin, problem);
}

bool builtin_find(const char *name, GivenProblem *problem) {
  given_init(problem);
  for (size_t i = 0; i < BUILTIN_COUNT; i++) {
    if (strcmp(builtins[i].name, name) != 0) continue;
    if (copy_builtin(&builtins[i], problem)) return true;
    given_free(problem);
    return false;
  }
  return false;
}
