/* builtin_lessons.c - the numbers of the examples.
 *
 * Small whole numbers, so that every step can be followed on paper. The library computes what they
 * lead to; tests/tool/test_explain*.sh hold it against figures worked out by hand.
 */
#include "cli/lesson/builtin_lessons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct BuiltinMatrix {
  LessonMatrix name;
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
                {LESSON_X, 2, 2, (const float[]){1, 1, 0, 1}},
                {LESSON_W_Q, 2, 2, (const float[]){3, -1, 1, 1}},
                {LESSON_W_K, 2, 2, (const float[]){2, -2, 1, 3}},
                {LESSON_W_V, 2, 2, (const float[]){2, -2, 0, 2}},
                {LESSON_W_O, 2, 2, (const float[]){2, 0, 0, 1}},
            },
    },
    {
        .name = "multi-head",
        .about = "Two heads of dimension 2: head 0 looks at its own token, head 1 at the other",
        .heads = 2,
        /* A score of 15 * 15 / sqrt(2) gives the other key a weight of exactly 0 in fp32. */
        .matrices =
            {
                {LESSON_Q, 2, 4, (const float[]){15, 0, 0, 15, 0, 15, 15, 0}},
                {LESSON_K, 2, 4, (const float[]){15, 0, 15, 0, 0, 15, 0, 15}},
                {LESSON_V, 2, 4, (const float[]){1, 0, 1, 2, 0, 1, 2, 1}},
                {LESSON_W_O, 4, 4, (const float[]){1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1}},
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
                {LESSON_Q, 1, 2, (const float[]){2, 3}},
                {LESSON_K, 4, 2, (const float[]){1, 0, 3, 1, 0, 3, 2, 0}},
                {LESSON_V, 4, 2, (const float[]){0, 0, 4, 1, 2, 2, 0, 0}},
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
                {LESSON_Q, 6, 4, (const float[]){1, 0, 2, 0, 0, 2, 1, 0, 1, 1, 0, 2,
                                                 2, 0, 0, 1, 0, 1, 2, 1, 1, 2, 0, 0}},
                {LESSON_K, 6, 4, (const float[]){1, 1, 0, 0, 0, 2, 0, 1, 2, 0, 1, 0,
                                                 0, 0, 2, 1, 1, 0, 0, 2, 0, 1, 1, 1}},
                {LESSON_V, 6, 4, (const float[]){1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0,
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

static bool copy_labels(const Builtin *builtin, Lesson *lesson) {
  if (builtin->tokens == NULL) return true;
  lesson->labels = calloc(lesson->key_tokens, sizeof *lesson->labels);
  for (size_t i = 0; lesson->labels != NULL && i < lesson->key_tokens; i++) {
    snprintf(lesson->labels[i].text, sizeof lesson->labels[i].text, "%s", builtin->tokens[i]);
  }
  return lesson->labels != NULL;
}

static bool copy_builtin(const Builtin *builtin, Lesson *lesson) {
  snprintf(lesson->name, sizeof lesson->name, "%s", builtin->name);
  snprintf(lesson->about, sizeof lesson->about, "%s", builtin->about);
  lesson->shape.query_heads = lesson->shape.kv_heads = builtin->heads;
  lesson->causal = builtin->causal;
  lesson->scale = builtin->scale;
  for (size_t i = 0; i < BUILTIN_MATRICES && builtin->matrices[i].data != NULL; i++) {
    const BuiltinMatrix *const m = &builtin->matrices[i];
    if (!matrix_copy(m->data, m->rows, m->columns, m->columns, &lesson->matrices[m->name])) {
      return false;
    }
  }
  char error[LESSON_ERROR_SIZE];
  return lesson_complete(lesson, error) && copy_labels(builtin, lesson);
}

bool builtin_find(const char *name, Lesson *lesson) {
  lesson_init(lesson);
  for (size_t i = 0; i < BUILTIN_COUNT; i++) {
    if (strcmp(builtins[i].name, name) != 0) continue;
    if (copy_builtin(&builtins[i], lesson)) return true;
    lesson_free(lesson);
    return false;
  }
  return false;
}
