/* lesson_run.c - calls the library on a lesson and listens to its taps.
 *
 * Adds the matrices that taps do not hand out. Q K^T before the scale is the "scores" of a second
 * call whose scale is 1. The mask is masked_scores minus scores. A core has no W_o, so a plain loop
 * projects its output. Weights by sum follow from masked_scores (sum_weights.c).
 */
#include "cli/lesson/lesson_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/timer.h"
#include "cli/lesson/sum_weights.h"

/* The time of a call is the fastest of this many, or of as many as fit into TIMED_SECONDS. */
#define TIMED_CALLS 20
#define TIMED_SECONDS 0.5

static AttendStatus open_context(const RunSettings *settings, AttendPath path,
                                 AttendContext **context) {
  AttendSettings library;
  attend_default_settings(&library);
  library.path = path;
  library.isa = settings->isa;
  library.threads = settings->threads;
  return attend_open(context, &library);
}

static AttendWeightSource weight_source(const Lesson *lesson, const Matrix *output) {
  const Matrix *const m = lesson->matrices;
  AttendWeightSource source;
  attend_default_weight_source(&source);
  if (lesson->of_model) attend_model_source(&lesson->model, &source);
  source.query = m[LESSON_W_Q].data;
  source.key = m[LESSON_W_K].data;
  source.value = m[LESSON_W_V].data;
  source.query_bias = m[LESSON_B_Q].data;
  source.key_bias = m[LESSON_B_K].data;
  source.value_bias = m[LESSON_B_V].data;
  source.qkv = m[LESSON_W_QKV].data;
  source.qkv_bias = m[LESSON_B_QKV].data;
  source.output = output->data;
  source.output_bias = m[LESSON_B_O].data;
  source.query_norm = lesson->query_norm.data;
  source.key_norm = lesson->key_norm.data;
  return source;
}

bool lesson_run_open(const Lesson *lesson, const RunSettings *settings, LessonRun *run,
                     char *error) {
  *run = (LessonRun){.lesson = lesson, .settings = *settings};
  if (!lesson_is_layer(lesson)) return true;

  /* The library wants a W_o. Where the lesson has none, zeros stand in and no output is shown. */
  Matrix zeros = {0};
  const AttendLayerShape *const s = &lesson->shape;
  const Matrix *output = &lesson->matrices[LESSON_W_O];
  if (output->data == NULL) {
    if (!matrix_new(s->query_heads * s->value_dim, s->width, &zeros)) {
      snprintf(error, LESSON_ERROR_SIZE, "memory for the output weights is missing");
      return false;
    }
    output = &zeros;
  }
  AttendContext *context = NULL;
  AttendStatus status = open_context(settings, ATTEND_PATH_AUTO, &context);
  if (status == ATTEND_OK) {
    const AttendWeightSource source = weight_source(lesson, output);
    status = attend_pack_weights(context, s, &source, &run->weights);
  }
  if (status != ATTEND_OK) {
    snprintf(error, LESSON_ERROR_SIZE, "the weights could not be packed: %s",
             context != NULL ? attend_get_error(context) : attend_status_message(status));
  }
  attend_close(&context);
  matrix_free(&zeros);
  return status == ATTEND_OK;
}

void lesson_run_close(LessonRun *run) {
  attend_free_weights(&run->weights);
}

/* Where a tap keeps matrices, and under which names. */
typedef struct Listener {
  Trace *trace;
  const Lesson *lesson;
  bool unscaled; /* keep only the scores, as unscaled_scores */
} Listener;

static bool is_of_heads(const AttendLayerShape *shape, const Trace *trace, const char *name,
                        size_t head) {
  const size_t group = shape->query_heads / shape->kv_heads;
  const size_t last = trace->first_head + trace->head_count - 1;
  const bool of_kv_head = strcmp(name, "key") == 0 || strcmp(name, "value") == 0;
  const size_t first = of_kv_head ? trace->first_head / group : trace->first_head;
  return first <= head && head <= (of_kv_head ? last / group : last);
}

static bool is_kept(const Listener *listener, const AttendMatrix *matrix, bool *of_head) {
  const Trace *const trace = listener->trace;
  *of_head = strcmp(matrix->name, "concat") != 0 && strcmp(matrix->name, "output") != 0;
  if (listener->unscaled && strcmp(matrix->name, "scores") != 0) return false;
  if (trace->normalization == NORMALIZE_SUM && sum_weights_make(matrix->name)) return false;
  if (!*of_head) {
    return matrix->name[0] == 'c' || lesson_has(listener->lesson, LESSON_W_O);
  }
  return is_of_heads(&listener->lesson->shape, trace, matrix->name, matrix->head);
}

static void listen(void *user, const AttendMatrix *matrix) {
  const Listener *const listener = user;
  bool of_head = false;
  if (!is_kept(listener, matrix, &of_head) || matrix->rows == 0) return;
  Matrix copy;
  matrix_copy(matrix->data, matrix->rows, matrix->columns, matrix->row_stride, &copy);
  trace_add(listener->trace, listener->unscaled ? "unscaled_scores" : matrix->name, of_head,
            matrix->head, &copy);
}

static AttendShape core_shape(const Lesson *lesson) {
  const AttendLayerShape *const s = &lesson->shape;
  return (AttendShape){1,           lesson->query_tokens, lesson->key_tokens, s->query_heads,
                       s->kv_heads, s->head_dim,          s->value_dim};
}

/* One call. out is [Nq, E], or [Nq, Hq * Dv] of a core. */
static AttendStatus call(const LessonRun *run, AttendContext *context, const AttendOptions *options,
                         Matrix *out) {
  const Lesson *const p = run->lesson;
  const AttendLayerShape *const s = &p->shape;
  const Matrix *const m = p->matrices;
  if (run->weights != NULL) {
    return attend_layer_forward(context, run->weights, NULL, 1, p->query_tokens, m[LESSON_X].data,
                                options, out->data);
  }
  const AttendShape shape = core_shape(p);
  return attend_core_forward(
      context, &shape,
      attend_view_bnhd(m[LESSON_Q].data, p->query_tokens, s->query_heads, s->head_dim),
      attend_view_bnhd(m[LESSON_K].data, p->key_tokens, s->kv_heads, s->head_dim),
      attend_view_bnhd(m[LESSON_V].data, p->key_tokens, s->kv_heads, s->value_dim), options,
      attend_output_bnhd(out->data, p->query_tokens, s->query_heads, s->value_dim), NULL);
}

static bool new_output(const LessonRun *run, Matrix *out) {
  const AttendLayerShape *const s = &run->lesson->shape;
  const size_t columns = run->weights != NULL ? s->width : s->query_heads * s->value_dim;
  return matrix_new(run->lesson->query_tokens, columns, out);
}

/* The call with a tap on it. */
static AttendStatus call_and_listen(const LessonRun *run, AttendContext *context,
                                    const AttendOptions *options, Listener *listener, Matrix *out) {
  attend_set_tap(context, listen, listener);
  attend_set_tap_rows(context, 0, run->lesson->query_tokens);
  const AttendStatus status = call(run, context, options, out);
  /* The sentence lasts until the next call with the context. */
  snprintf(listener->trace->reason, sizeof listener->trace->reason, "%s",
           attend_get_error(context));
  attend_set_tap(context, NULL, NULL);
  attend_set_tap_rows(context, 0, 0);
  return status;
}

static void time_calls(const LessonRun *run, AttendContext *context, const AttendOptions *options,
                       Matrix *out, double *best) {
  const double begin = timer_seconds();
  *best = INFINITY;
  for (int i = 0; i < TIMED_CALLS && timer_seconds() - begin < TIMED_SECONDS; i++) {
    const double start = timer_seconds();
    if (call(run, context, options, out) != ATTEND_OK) return;
    const double seconds = timer_seconds() - start;
    if (seconds < *best) *best = seconds;
  }
}

/* A core ends with the concat; the tool multiplies it by W_o. */
static void project_core(const Lesson *lesson, Trace *trace, Matrix *out) {
  Matrix output = {0};
  if (lesson_has(lesson, LESSON_W_O)) {
    matrix_multiply(out, &lesson->matrices[LESSON_W_O], &lesson->matrices[LESSON_B_O], &output);
    trace_add(trace, "output", false, 0, &output);
  }
  trace_add(trace, "concat", false, 0, out);
}

/* The mask of the first head that is kept, if it hides or changes anything. */
static void derive_mask(Trace *trace) {
  const size_t head = trace->first_head;
  const Matrix *from = trace_find(trace, "capped_scores", head);
  if (from == NULL) from = trace_find(trace, "scores", head);
  const Matrix *const to = trace_find(trace, "masked_scores", head);
  if (from == NULL || to == NULL) return;
  bool changes = false;
  Matrix mask;
  if (!matrix_new(to->rows, to->columns, &mask)) {
    trace->out_of_memory = true;
    return;
  }
  for (size_t i = 0; i < to->rows * to->columns; i++) {
    if (to->data[i] == from->data[i]) continue;
    mask.data[i] = to->data[i] == -INFINITY ? -INFINITY : to->data[i] - from->data[i];
    changes = true;
  }
  if (changes) {
    trace_add(trace, "mask", false, 0, &mask);
  } else {
    matrix_free(&mask);
  }
}

static AttendStatus run_in(const LessonRun *run, AttendContext *context, Trace *trace,
                           Matrix *out) {
  const Lesson *const lesson = run->lesson;
  AttendOptions options = lesson_options(lesson);
  Listener listener = {.trace = trace, .lesson = lesson};
  const AttendStatus status = call_and_listen(run, context, &options, &listener, out);
  if (status != ATTEND_OK) return status;
  if (run->settings.timed) time_calls(run, context, &options, out, &trace->seconds);
  if (trace->normalization == NORMALIZE_SUM) {
    if (!sum_weights_add(lesson, trace)) return ATTEND_STATUS_OUT_OF_MEMORY;
  } else if (run->weights == NULL) {
    project_core(lesson, trace, out);
  }
  derive_mask(trace);

  if (lesson->of_model || lesson_scale(lesson) == 1) return ATTEND_OK;
  Matrix unused;
  if (!new_output(run, &unused)) return ATTEND_STATUS_OUT_OF_MEMORY;
  listener.unscaled = true;
  options.scale = 1;
  const AttendStatus again = call_and_listen(run, context, &options, &listener, &unused);
  matrix_free(&unused);
  return again;
}

/* The path that a lesson is run by. */
static AttendPath path_for(AttendPath path, Normalization normalization) {
  return path == ATTEND_PATH_AUTO && normalization == NORMALIZE_SUM ? ATTEND_PATH_NAIVE : path;
}

/* Weights by sum go on with all heads, so that the concat is whole; afterwards those that were not
 * asked for are dropped. */
static AttendStatus run_by_sum(const LessonRun *run, AttendContext *context, Trace *trace,
                               Matrix *out) {
  const AttendLayerShape *const s = &run->lesson->shape;
  trace->first_head = 0;
  trace->head_count = s->query_heads;
  const AttendStatus status = run_in(run, context, trace, out);
  trace->first_head = run->settings.first_head;
  trace->head_count = run->settings.head_count;
  size_t kept = 0;
  for (size_t i = 0; i < trace->count; i++) {
    TraceMatrix *const item = &trace->items[i];
    if (!item->of_head || is_of_heads(s, trace, item->name, item->head)) {
      trace->items[kept++] = *item;
    } else {
      matrix_free(&item->matrix);
    }
  }
  trace->count = kept;
  return status;
}

bool lesson_run_trace(const LessonRun *run, AttendPath path, Normalization normalization,
                      Trace *trace) {
  *trace = (Trace){
      .path = path,
      .normalization = normalization,
      .round = LESSON_NOT_ROUNDED,
      .first_head = run->settings.first_head,
      .head_count = run->settings.head_count,
  };
  const bool by_sum = normalization == NORMALIZE_SUM;
  if (by_sum && path_for(path, normalization) != ATTEND_PATH_NAIVE) {
    trace->status = ATTEND_STATUS_PATH_REFUSED;
    snprintf(trace->reason, sizeof trace->reason,
             "weights by sum are made from the scores and values of the naive path");
    return true;
  }
  Matrix out;
  if (!new_output(run, &out)) return false;
  AttendContext *context = NULL;
  trace->status = open_context(&run->settings, path_for(path, normalization), &context);
  if (trace->status == ATTEND_OK) {
    trace->status = (by_sum ? run_by_sum : run_in)(run, context, trace, &out);
  }
  if (trace->status != ATTEND_OK && trace->reason[0] == '\0') {
    snprintf(trace->reason, sizeof trace->reason, "%s", attend_status_message(trace->status));
  }
  attend_close(&context);
  matrix_free(&out);
  return !trace->out_of_memory;
}

AttendStatus lesson_plan(const Lesson *lesson, const RunSettings *settings, AttendPath path,
                         AttendPlan *plan) {
  *plan = (AttendPlan){.struct_size = sizeof *plan};
  AttendContext *context = NULL;
  AttendStatus status = open_context(settings, path_for(path, lesson->normalization), &context);
  if (status != ATTEND_OK) return status;
  const AttendOptions options = lesson_options(lesson);
  if (lesson_is_layer(lesson)) {
    status = attend_plan_layer(context, &lesson->shape, 1, lesson->query_tokens, 0, false, &options,
                               plan);
  } else {
    const AttendShape shape = core_shape(lesson);
    status = attend_plan_core(context, &shape, &options, plan);
  }
  attend_close(&context);
  return status;
}
