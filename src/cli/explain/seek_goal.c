/* seek_goal.c - reads the goal of --seek: tokens by label or number, and a weight. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain/seek.h"

/* The weight of both tokens together when they are to have equal weights. */
#define TOGETHER 0.9

static bool is_digits(const char *text) {
  return *text != '\0' && strlen(text) < 9 && text[strspn(text, "0123456789")] == '\0';
}

static size_t count_label(const Lesson *lesson, const char *name, size_t *first) {
  size_t count = 0;
  for (size_t j = lesson->key_tokens; lesson->labels != NULL && j-- > 0;) {
    if (strcmp(lesson->labels[j].text, name) != 0) continue;
    *first = j;
    count++;
  }
  return count;
}

static bool refuse_ambiguous(const Lesson *lesson, const char *name, size_t first, char *error) {
  size_t second = first + 1;
  while (strcmp(lesson->labels[second].text, name) != 0) second++;
  snprintf(error, LESSON_ERROR_SIZE,
           "\"%s\" is the label of more than one token; say which, as in %s#%zu or %s#%zu", name,
           name, first, name, second);
  return false;
}

/* "the#3" is token 3, whose label must be "the". */
static bool find_numbered(const Lesson *lesson, char *name, size_t *token) {
  char *const mark = strrchr(name, '#');
  if (mark == NULL || mark == name || !is_digits(mark + 1)) return false;
  const size_t number = strtoul(mark + 1, NULL, 10);
  if (number >= lesson->key_tokens || lesson->labels == NULL) return false;
  *mark = '\0';
  const bool same = strcmp(lesson->labels[number].text, name) == 0;
  *mark = '#';
  if (same) *token = number;
  return same;
}

static bool find_token(const Lesson *lesson, char *name, size_t *token, char *error) {
  const size_t count = count_label(lesson, name, token);
  if (count == 1 || find_numbered(lesson, name, token)) return true;
  if (count > 1) return refuse_ambiguous(lesson, name, *token, error);
  if (is_digits(name) && strtoul(name, NULL, 10) < lesson->key_tokens) {
    *token = strtoul(name, NULL, 10);
    return true;
  }
  snprintf(error, LESSON_ERROR_SIZE,
           "\"%s\" is none of the tokens; give a label of the lesson, or a number from 0 to %zu",
           name, lesson->key_tokens - 1);
  return false;
}

static bool read_weight(const char *text, double *weight, char *error) {
  char *end = NULL;
  *weight = strtod(text, &end);
  if (end != text && *end == '\0' && *weight > 0 && *weight < 1) return true;
  snprintf(error, LESSON_ERROR_SIZE,
           "\"%s\" is not a weight; give a number above 0 and below 1, as in cat=0.9", text);
  return false;
}

bool seek_parse(const Lesson *lesson, const char *text, SeekGoal *goal, char *error) {
  char copy[128];
  const char *const mark = strpbrk(text, "=~");
  if (mark == NULL || strlen(text) >= sizeof copy) {
    snprintf(error, LESSON_ERROR_SIZE,
             "\"%.40s\" is no goal; give TOKEN=WEIGHT, as in cat=0.9, or TOKEN~TOKEN, as in "
             "cat~chases",
             text);
    return false;
  }
  memcpy(copy, text, strlen(text) + 1);
  char *const rest = copy + (mark - text) + 1;
  rest[-1] = '\0';
  if (!find_token(lesson, copy, &goal->token, error)) return false;
  goal->other = goal->token;
  goal->weight = TOGETHER;
  if (*mark == '=') return read_weight(rest, &goal->weight, error);
  if (!find_token(lesson, rest, &goal->other, error)) return false;
  if (goal->other != goal->token) return true;
  snprintf(error, LESSON_ERROR_SIZE, "\"%s\" is the same token twice; give two", text);
  return false;
}
