/* walkthrough.c - owns the words that go with each matrix, and the order in which they are printed.
 *
 * Computes nothing: all that is printed is in the trace. A line says that the path kept
 * matrices to itself.
 */
#include "cli/explain/walkthrough.h"

#include <math.h>
#include <string.h>

#include "cli/explain/by_hand.h"
#include "cli/explain/matrix_print.h"

#define CAPTION_SIZE 160

typedef struct Caption {
  char text[CAPTION_SIZE];
} Caption;

/* "Q_3", "Q_3 K_0ᵀ". */
typedef struct Symbol {
  char text[64];
} Symbol;

/* One matrix of a head: its symbol, and what its rows and columns stand for. */
typedef enum Axis { AXIS_PLAIN, AXIS_QUERIES, AXIS_KEYS } Axis;

typedef struct Step {
  const char *name, *symbol;
  Axis rows, columns;
  bool of_weights; /* also print row sums; of a large matrix, each row's largest */
  bool shaded;
} Step;

static const Step head_steps[] = {
    {"query", "Q", AXIS_QUERIES, AXIS_PLAIN, false, false},
    {"key", "K", AXIS_KEYS, AXIS_PLAIN, false, false},
    {"value", "V", AXIS_KEYS, AXIS_PLAIN, false, false},
    {"unscaled_scores", "Q Kᵀ", AXIS_QUERIES, AXIS_KEYS, false, false},
    {"scores", "S", AXIS_QUERIES, AXIS_KEYS, false, true},
    {"capped_scores", "C", AXIS_QUERIES, AXIS_KEYS, false, true},
    {"mask", "M", AXIS_QUERIES, AXIS_KEYS, false, false},
    {"masked_scores", "S + M", AXIS_QUERIES, AXIS_KEYS, false, true},
    {"weights", "A", AXIS_QUERIES, AXIS_KEYS, true, true},
    {"context", "H", AXIS_QUERIES, AXIS_PLAIN, false, false},
};

enum { HEAD_STEPS = sizeof head_steps / sizeof *head_steps };

static const Step concat_step = {"concat", "H", AXIS_QUERIES, AXIS_PLAIN, false, false};
static const Step output_step = {"output", "Y", AXIS_QUERIES, AXIS_PLAIN, false, false};

void walk_title(Walk *walk) {
  const Lesson *const p = walk->lesson;
  const AttendLayerShape *const s = &p->shape;
  fprintf(walk->file, "%s%s%s\n", p->name, p->about[0] != '\0' ? ": " : "", p->about);
  if (p->query_tokens == p->key_tokens) {
    fprintf(walk->file, "  N = %zu", p->query_tokens);
  } else {
    fprintf(walk->file, "  Nq = %zu, Nk = %zu", p->query_tokens, p->key_tokens);
  }
  if (s->width > 0) fprintf(walk->file, ", E = %zu", s->width);
  fprintf(walk->file, ", Hq = %zu, Hk = %zu, D = %zu, Dv = %zu", s->query_heads, s->kv_heads,
          s->head_dim, s->value_dim);
  const bool by_dim = lesson_options(p).scale == 0;
  fprintf(walk->file, "\n  scale = %.6g%s, %s%s, weights by %s\n", (double)lesson_scale(p),
          by_dim ? " = 1/√D" : "", p->causal ? "causal" : "bidirectional",
          p->mask != NULL ? " and masked" : "",
          by_hand_applies(p)                  ? "sum and by softmax"
          : p->normalization == NORMALIZE_SUM ? "sum"
                                              : "softmax");
}

static const LessonLabel *labels_of(const Lesson *p, Axis axis) {
  if (p->labels == NULL || axis == AXIS_PLAIN) return NULL;
  if (axis == AXIS_KEYS) return p->labels;
  return p->query_tokens <= p->key_tokens ? p->labels + (p->key_tokens - p->query_tokens) : NULL;
}

static void print_matrix(Walk *walk, const char *title, const Step *step, const Matrix *matrix,
                         size_t chunk, int digits) {
  const Lesson *const p = walk->lesson;
  const MatrixStyle style = {
      .digits = digits,
      .chunk = chunk,
      .row_labels = labels_of(p, step->rows),
      .column_labels = labels_of(p, step->columns),
      .row_sums = step->of_weights,
      .shade = walk->colour && step->shaded,
  };
  fprintf(walk->file, "\n%2zu. %s  [%zu × %zu]\n", ++walk->steps, title, matrix->rows,
          matrix->columns);
  if (matrix_fits(matrix)) {
    matrix_print(walk->file, matrix, &style);
    return;
  }
  matrix_print_range(walk->file, matrix);
  if (style.shade) matrix_print_heat(walk->file, matrix);
  if (!step->of_weights) return;
  fputs("     largest weights of each row, as key: weight\n", walk->file);
  matrix_print_largest(walk->file, matrix, &style);
}

/* Columns of one head in a given matrix, where it has several. */
static size_t chunk_of(const AttendLayerShape *s, LessonMatrix name) {
  if (s->query_heads == 1) return 0;
  switch (name) {
  case LESSON_W_Q:
  case LESSON_W_K:
  case LESSON_B_Q:
  case LESSON_B_K:
  case LESSON_Q:
  case LESSON_K:
    return s->head_dim;
  case LESSON_W_V:
  case LESSON_B_V:
  case LESSON_V:
    return s->value_dim;
  case LESSON_W_QKV:
  case LESSON_B_QKV:
    return s->head_dim == s->value_dim ? s->head_dim : 0;
  default:
    return 0;
  }
}

void walk_inputs(Walk *walk) {
  static const char *const captions[] = {
      [LESSON_X] = ", given: one row for each token",
      [LESSON_Q] = ", given: one row for each query token",
      [LESSON_K] = ", given: one row for each key token",
      [LESSON_V] = ", given: one row for each key token",
      [LESSON_W_O] = ", given: projects the heads back to the width of the layer",
  };
  for (int i = 0; i < LESSON_MATRIX_COUNT; i++) {
    const LessonMatrix name = (LessonMatrix)i;
    if (!lesson_has(walk->lesson, name)) continue;
    const bool keys = name == LESSON_X || name == LESSON_K || name == LESSON_V;
    const Step step = {.rows = keys ? AXIS_KEYS : name == LESSON_Q ? AXIS_QUERIES : AXIS_PLAIN};
    const char *const caption = name <= LESSON_W_O ? captions[name] : NULL;
    char title[CAPTION_SIZE];
    snprintf(title, sizeof title, "%s%s", lesson_matrix_name(name),
             caption != NULL ? caption : ", given");
    print_matrix(walk, title, &step, &walk->lesson->matrices[name],
                 chunk_of(&walk->lesson->shape, name), WALK_DIGITS);
  }
}

/* Where a head's Q, K or V comes from: `part` is 0, 1, 2 of these. */
static Caption caption_of_chunk(const Lesson *p, size_t part, size_t head) {
  static const char *const weights[] = {"W_q", "W_k", "W_v"}, *const biases[] = {"b_q", "b_k",
                                                                                 "b_v"};
  static const char *const whole[] = {"Q", "K", "V"};
  const AttendLayerShape *const s = &p->shape;
  const bool fused = lesson_has(p, LESSON_W_QKV), layer = lesson_is_layer(p);
  const size_t each = part == 2 ? s->value_dim : s->head_dim;
  const size_t heads = part == 0 ? s->query_heads : s->kv_heads;
  const bool biased =
      lesson_has(p, fused ? LESSON_B_QKV : (LessonMatrix)((size_t)LESSON_B_Q + part));
  size_t first = head * each;
  if (fused && part > 0) first += s->query_heads * s->head_dim;
  if (fused && part > 1) first += s->kv_heads * s->head_dim;

  char source[64] = "", columns[64] = "";
  if (layer) {
    snprintf(source, sizeof source, "X %s%s%s", fused ? "W_qkv" : weights[part],
             biased ? " + " : "",
             !biased ? ""
             : fused ? "b_qkv"
                     : biases[part]);
  } else {
    snprintf(source, sizeof source, "%s", whole[part]);
  }
  if (heads > 1 || fused) {
    snprintf(columns, sizeof columns, "columns %zu to %zu of ", first, first + each - 1);
  }
  const bool normed = p->query_norm.data != NULL && part < 2;
  const bool rotated = p->of_model && p->model.rope.pairing != ATTEND_ROPE_NONE && part < 2;
  Caption caption;
  snprintf(caption.text, sizeof caption.text, "%s%s%s%s", columns, source,
           normed ? ", each row through RMSNorm" : "",
           rotated ? ", rotated by RoPE to its position" : "");
  return caption;
}

/* The symbol of a step with the number of its head, where there are several. */
static Symbol symbol_of(const Lesson *p, size_t step, size_t head) {
  const size_t kv_head = head / (p->shape.query_heads / p->shape.kv_heads);
  char own[24] = "", of_kv[24] = "";
  if (p->shape.query_heads > 1) {
    snprintf(own, sizeof own, "_%zu", head);
    snprintf(of_kv, sizeof of_kv, "_%zu", kv_head);
  }
  Symbol symbol;
  if (step == 3) {
    snprintf(symbol.text, sizeof symbol.text, "Q%s K%sᵀ", own, of_kv);
  } else if (step == 7) {
    snprintf(symbol.text, sizeof symbol.text, "S%s + M", own);
  } else {
    const char *const index = step == 6 ? "" : step == 1 || step == 2 ? of_kv : own;
    snprintf(symbol.text, sizeof symbol.text, "%s%s", head_steps[step].symbol, index);
  }
  return symbol;
}

static Caption caption_of(const Lesson *p, const Trace *trace, size_t step, size_t head) {
  static const char *const fixed[HEAD_STEPS] = {
      [3] = "each query times each key",
      [6] = "added to the scores: 0 leaves a key visible, -inf hides it",
      [7] = "the scores that count",
      [9] = "the weights times V: each row is a mean of the values",
  };
  Caption caption = {""};
  if (step < 3) {
    const size_t group = p->shape.query_heads / p->shape.kv_heads;
    return caption_of_chunk(p, step, step == 0 ? head : head / group);
  }
  if (step == 4) {
    snprintf(caption.text, sizeof caption.text, "%s times %.6g", symbol_of(p, 3, head).text,
             (double)lesson_scale(p));
  } else if (step == 5) {
    snprintf(caption.text, sizeof caption.text, "c tanh(S / c), c = %g",
             (double)lesson_options(p).softcap);
  } else if (step == 8) {
    snprintf(caption.text, sizeof caption.text, "each row of scores %s",
             trace->normalization == NORMALIZE_SUM ? "divided by its sum" : "through softmax");
  } else if (step == 9 && p->causal) {
    snprintf(caption.text, sizeof caption.text,
             "the weights times V, also called Z: each row is a mean of the values it sees");
  } else {
    snprintf(caption.text, sizeof caption.text, "%s", fixed[step]);
  }
  if (trace->round >= 0 && step == 8) {
    snprintf(caption.text, sizeof caption.text, "rounded to %d digits", trace->round);
  }
  return caption;
}

/* Leaves out repetitions: Q, K and V of a core with one head are the given ones; keys come once for
 * each group of heads; masked scores equal the scores if nothing is hidden; all heads have one
 * mask. */
static bool is_shown(const Lesson *p, const Trace *trace, size_t step, size_t head) {
  const size_t group = p->shape.query_heads / p->shape.kv_heads;
  if (step < 3 && !lesson_is_layer(p) && p->shape.query_heads == 1) return false;
  if ((step == 1 || step == 2) && head % group != 0 && head != trace->first_head) return false;
  if (step == 6) return head == trace->first_head;
  return step != 7 || trace_find(trace, "mask", 0) != NULL;
}

static void walk_head(Walk *walk, const Trace *trace, size_t head, int digits) {
  const Lesson *const p = walk->lesson;
  const size_t group = p->shape.query_heads / p->shape.kv_heads;
  for (size_t step = 0; step < HEAD_STEPS; step++) {
    const Step *const s = &head_steps[step];
    const size_t number = step == 6 ? 0 : step == 1 || step == 2 ? head / group : head;
    const Matrix *const matrix = trace_find(trace, s->name, number);
    if (matrix == NULL || !is_shown(p, trace, step, head)) continue;
    char title[2 * CAPTION_SIZE];
    snprintf(title, sizeof title, "%s  %s: %s", s->name, symbol_of(p, step, head).text,
             caption_of(p, trace, step, head).text);
    print_matrix(walk, title, s, matrix, 0, digits);
  }
}

static void walk_after_heads(Walk *walk, const Trace *trace, int digits) {
  const Lesson *const p = walk->lesson;
  const Matrix *const concat = trace_find(trace, "concat", 0);
  const Matrix *const output = trace_find(trace, "output", 0);
  const bool one = p->shape.query_heads == 1;
  if (concat != NULL && (!one || trace_find(trace, "context", 0) == NULL)) {
    print_matrix(walk, one ? "concat  H: the head's context" : "concat  H: the heads side by side",
                 &concat_step, concat, one ? 0 : p->shape.value_dim, digits);
  }
  if (output != NULL) {
    print_matrix(walk, lesson_has(p, LESSON_B_O) ? "output  Y = H W_o + b_o" : "output  Y = H W_o",
                 &output_step, output, 0, digits);
  }
}

void walk_trace(Walk *walk, const Trace *trace) {
  const AttendPath path = trace->path;
  fprintf(walk->file, "\nPath %s\n", attend_path_name(path));
  if (path != ATTEND_PATH_NAIVE) {
    fputs("  This path keeps Q, K, V and the heads' context to itself; --path naive shows them.\n",
          walk->file);
  }
  for (size_t h = trace->first_head; h < trace->first_head + trace->head_count; h++) {
    walk_head(walk, trace, h, WALK_DIGITS);
  }
  walk_after_heads(walk, trace, WALK_DIGITS);
}

/* The last matrix of the way: the output, or the concat where there is no W_o. */
static const char *last_name(const Trace *trace) {
  return trace_find(trace, "output", 0) != NULL ? "output" : "concat";
}

void walk_rounded(Walk *walk, const Trace *exact, const Trace *rounded) {
  FILE *const file = walk->file;
  const int digits = rounded->round;
  fprintf(file, "\nBy hand, going on with weights rounded to %d digits\n", digits);
  for (size_t h = rounded->first_head; h < rounded->first_head + rounded->head_count; h++) {
    walk_head(walk, rounded, h, digits);
  }
  walk_after_heads(walk, rounded, digits);

  const char *const name = last_name(exact);
  const Matrix *const a = trace_find(exact, name, 0), *const b = trace_find(rounded, name, 0);
  if (a == NULL || b == NULL || !matrix_fits(a)) return;
  const MatrixStyle exact_style = {.digits = WALK_DIGITS,
                                   .row_labels = labels_of(walk->lesson, AXIS_QUERIES)};
  MatrixStyle rounded_style = exact_style;
  rounded_style.digits = digits;
  fprintf(file, "\nBoth results\n   %s, exact\n", name);
  matrix_print(file, a, &exact_style);
  fprintf(file, "   %s, with weights rounded to %d digits\n", name, digits);
  matrix_print(file, b, &rounded_style);
  fprintf(file, "   largest difference %.*g\n", WALK_DIGITS, matrix_difference(a, b));
}
