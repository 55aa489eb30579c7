/* by_hand.c - the table of one query: a row for each token, a column for each normalisation.
 *
 * The weights by softmax are the library's, those by sum are made from its masked scores
 * (lesson/sum_weights.c); the dots of a bar are the only thing that is worked out here.
 */
#include "cli/explain/by_hand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain/matrix_print.h"
#include "cli/explain/rounded_weights.h"
#include "cli/util/utf8.h"

#define VECTOR_SIZE 96
#define BAR_WIDTH 16
#define DIGITS 4

typedef struct Vector {
  char text[VECTOR_SIZE];
} Vector;

bool by_hand_applies(const Lesson *lesson) {
  return !lesson_is_layer(lesson) && lesson_has(lesson, LESSON_Q) && lesson->query_tokens == 1 &&
         lesson->shape.query_heads == 1;
}

/* "[2 3]"; of a long vector its beginning. */
static Vector write_vector(const float *data, size_t count) {
  Vector vector;
  size_t used = (size_t)snprintf(vector.text, sizeof vector.text, "[");
  for (size_t i = 0; i < count; i++) {
    char number[24];
    snprintf(number, sizeof number, "%s%.5g", i > 0 ? " " : "", (double)data[i]);
    if (used + strlen(number) + sizeof " ...]" > sizeof vector.text) {
      used += (size_t)snprintf(vector.text + used, sizeof vector.text - used, " ...");
      break;
    }
    used += (size_t)snprintf(vector.text + used, sizeof vector.text - used, "%s", number);
  }
  snprintf(vector.text + used, sizeof vector.text - used, "]");
  return vector;
}

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Widths of the columns of text. */
typedef struct Widths {
  size_t token, key, value;
} Widths;

static Vector row_of(const Lesson *lesson, LessonMatrix name, size_t row) {
  const Matrix *const m = &lesson->matrices[name];
  return write_vector(m->data + row * m->columns, m->columns);
}

static Widths measure(const Lesson *lesson) {
  Widths widths = {strlen("token"), strlen("key"), strlen("value")};
  for (size_t j = 0; j < lesson->key_tokens; j++) {
    LessonLabel label;
    widths.token = larger(widths.token, utf8_columns(lesson_key_label(lesson, j, &label)));
    widths.key = larger(widths.key, strlen(row_of(lesson, LESSON_K, j).text));
    widths.value = larger(widths.value, strlen(row_of(lesson, LESSON_V, j).text));
  }
  return widths;
}

/* A weight and its bar, padded to the width of the column unless the line ends here. */
static void print_weight(FILE *file, float weight, bool last, bool colour) {
  const double share = weight > 0 ? fmin((double)weight, 1) : 0;
  const size_t eighths = (size_t)(share * 8 * BAR_WIDTH + 0.5);
  /* A sum below 0 makes a score of 0 a weight of -0; the two differ in print alone. */
  fprintf(file, "  %7.*f", DIGITS, weight == 0 ? 0.0 : (double)weight);
  if (eighths > 0) fputc(' ', file);
  print_bar(file, share, BAR_WIDTH, colour);
  if (last) {
    fputc('\n', file);
  } else {
    fprintf(file, "%*s", (int)(BAR_WIDTH + (eighths == 0) - (eighths + 7) / 8), "");
  }
}

static void print_token(FILE *file, const Lesson *lesson, const Widths *widths, size_t j,
                        const Matrix *scores, const Matrix *sum, const Matrix *softmax,
                        bool colour) {
  LessonLabel label;
  fputs("  ", file);
  print_padded(file, lesson_key_label(lesson, j, &label), widths->token, false);
  fputs("  ", file);
  print_padded(file, row_of(lesson, LESSON_K, j).text, widths->key, false);
  fputs("  ", file);
  print_padded(file, row_of(lesson, LESSON_V, j).text, widths->value, false);
  fprintf(file, "  %8.5g", (double)scores->data[j]);
  print_weight(file, sum->data[j], false, colour);
  print_weight(file, softmax->data[j], true, colour);
}

/* How to read weights by sum where they are surprising. */
static void print_notes(FILE *file, const Matrix *scores) {
  double sum = 0;
  bool negative = false, positive = false;
  for (size_t j = 0; j < scores->columns; j++) {
    if (scores->data[j] == -INFINITY) continue;
    sum += (double)scores->data[j];
    negative = negative || scores->data[j] < 0;
    positive = positive || scores->data[j] > 0;
  }
  if (sum == 0) {
    fputs("  The scores add up to 0, so that no weights by sum exist; softmax has no such case.\n",
          file);
  } else if (negative && positive) {
    fputs("  Scores of both signs make weights by sum that are below 0; weights by softmax never\n"
          "  are.\n",
          file);
  } else if (negative) {
    fputs("  Scores below 0 turn the order round: by sum the lowest of them gets the largest\n"
          "  weight, by softmax the smallest.\n",
          file);
  }
}

static void print_rounded(FILE *file, const Lesson *lesson, const Trace *exact) {
  Trace rounded;
  if (rounded_trace(lesson, exact, lesson->round, &rounded)) {
    const Matrix *const context = trace_find(&rounded, "concat", 0);
    fprintf(file, "    with weights rounded to %d digits: %s\n", lesson->round,
            write_vector(context->data, context->columns).text);
  }
  trace_free(&rounded);
}

static void print_result(FILE *file, const Lesson *lesson, const char *way, const Trace *trace) {
  const Matrix *const context = trace_find(trace, "concat", 0);
  fprintf(file, "  output by %-8s %s", way, write_vector(context->data, context->columns).text);
  const Matrix *const output = trace_find(trace, "output", 0);
  if (output != NULL) {
    fprintf(file, ", after W_o %s", write_vector(output->data, output->columns).text);
  }
  fputc('\n', file);
  if (lesson->round >= 0) print_rounded(file, lesson, trace);
}

void by_hand_print(FILE *file, const Lesson *lesson, const Trace *by_sum, const Trace *by_softmax,
                   bool colour) {
  const Matrix *const scores = trace_find(by_softmax, "masked_scores", 0);
  const Matrix *const sum = trace_find(by_sum, "weights", 0);
  const Matrix *const softmax = trace_find(by_softmax, "weights", 0);
  const Widths widths = measure(lesson);
  LessonLabel label;
  fprintf(file, "\n  query of \"%s\": %s\n", lesson_query_label(lesson, 0, &label),
          row_of(lesson, LESSON_Q, 0).text);
  fprintf(file,
          "  score = %sq·k; by sum: score / sum of scores; by softmax: exp(score) / sum of exp\n",
          lesson_scale(lesson) == 1 ? "" : "scale ");
  fprintf(file, "\n  %-*s  %-*s  %-*s  %8s  %-*s  %s\n", (int)widths.token, "token",
          (int)widths.key, "key", (int)widths.value, "value", "score", BAR_WIDTH + 8,
          "weight by sum", "weight by softmax");
  for (size_t j = 0; j < lesson->key_tokens; j++) {
    print_token(file, lesson, &widths, j, scores, sum, softmax, colour);
  }
  fputc('\n', file);
  print_result(file, lesson, "sum", by_sum);
  print_result(file, lesson, "softmax", by_softmax);
  print_notes(file, scores);
}
