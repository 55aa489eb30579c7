/* explain_json.c - an explanation as one JSON object, for programs.
 *
 * Owns the names of its members; docs/explain-json.md describes them. -inf, which JSON does not
 * have, is null.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/explain/explanation.h"
#include "cli/util/json.h"

static json_t *elements_of(const Matrix *matrix) {
  if (matrix->rows * matrix->columns > EXPLAIN_JSON_ELEMENTS) return json_null();
  json_t *rows = json_array();
  for (size_t r = 0; r < matrix->rows; r++) {
    json_t *row = json_array();
    for (size_t c = 0; c < matrix->columns; c++) {
      const float element = matrix->data[r * matrix->columns + c];
      json_append(&row, json_figure_or_null(isfinite(element), (double)element));
    }
    json_append(&rows, row);
  }
  return rows;
}

static json_t *matrix_object(const char *name, json_t *head, const Matrix *matrix) {
  const MatrixRange range = matrix_range(matrix);
  const bool any = range.least <= range.most;
  return json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:o}", "name", name, "head", head, "rows",
                   (json_int_t)matrix->rows, "columns", (json_int_t)matrix->columns, "least",
                   json_figure_or_null(any, range.least), "most",
                   json_figure_or_null(any, range.most), "elements", elements_of(matrix));
}

static json_t *given_array(const Lesson *lesson) {
  json_t *array = json_array();
  for (int i = 0; i < LESSON_MATRIX_COUNT; i++) {
    if (!lesson_has(lesson, (LessonMatrix)i)) continue;
    json_append(&array, matrix_object(lesson_matrix_name((LessonMatrix)i), json_null(),
                                      &lesson->matrices[i]));
  }
  return array;
}

static json_t *labels_array(const Lesson *lesson) {
  if (lesson->labels == NULL) return json_null();
  json_t *array = json_array();
  for (size_t i = 0; i < lesson->key_tokens; i++) {
    json_append(&array, json_text_or_null(lesson->labels[i].text));
  }
  return array;
}

static json_t *lesson_object(const Lesson *lesson) {
  const AttendLayerShape *const s = &lesson->shape;
  json_t *object =
      json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
                json_text_or_null(lesson->name), "about", json_text_or_null(lesson->about), "width",
                json_count_or_null(s->width), "query_tokens", (json_int_t)lesson->query_tokens,
                "key_tokens", (json_int_t)lesson->key_tokens, "query_heads",
                (json_int_t)s->query_heads, "kv_heads", (json_int_t)s->kv_heads, "head_dim",
                (json_int_t)s->head_dim, "value_dim", (json_int_t)s->value_dim);
  json_set(&object, "causal", json_boolean(lesson->causal));
  json_set(&object, "scale", json_real((double)lesson_scale(lesson)));
  json_set(&object, "tokens", labels_array(lesson));
  json_set(&object, "given", given_array(lesson));
  return object;
}

static json_t *trace_object(const Trace *trace) {
  json_t *matrices = json_array();
  for (size_t i = 0; i < trace->count; i++) {
    const TraceMatrix *const item = &trace->items[i];
    json_t *const head = item->of_head ? json_integer((json_int_t)item->head) : json_null();
    json_append(&matrices, matrix_object(item->name, head, &item->matrix));
  }
  return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o}", "path", attend_path_name(trace->path),
                   "normalization", trace->normalization == NORMALIZE_SUM ? "sum" : "softmax",
                   "round", trace->round >= 0 ? json_integer(trace->round) : json_null(), "status",
                   attend_status_name(trace->status), "reason", json_text_or_null(trace->reason),
                   "seconds", json_figure_or_null(trace->seconds > 0, trace->seconds), "matrices",
                   matrices);
}

static json_t *traces_array(const Explanation *e) {
  json_t *array = json_array();
  for (size_t i = 0; i < e->trace_count; i++) json_append(&array, trace_object(&e->traces[i]));
  if (e->by_sum.count > 0) json_append(&array, trace_object(&e->by_sum));
  if (e->rounded.count > 0) json_append(&array, trace_object(&e->rounded));
  return array;
}

static json_t *differences_array(const Explanation *e) {
  json_t *array = json_array();
  for (size_t a = 0; a < e->trace_count; a++) {
    for (size_t b = a + 1; b < e->trace_count; b++) {
      for (size_t i = 0; trace_name_at(i) != NULL; i++) {
        double difference;
        if (!trace_difference(&e->traces[a], &e->traces[b], trace_name_at(i), &difference))
          continue;
        json_append(&array, json_pack("{s:s, s:[s, s], s:o}", "name", trace_name_at(i), "paths",
                                      attend_path_name(e->traces[a].path),
                                      attend_path_name(e->traces[b].path), "largest_difference",
                                      json_figure_or_null(isfinite(difference), difference)));
      }
    }
  }
  return array;
}

static json_t *seek_object(const SeekResult *seek) {
  if (seek == NULL) return json_null();
  return json_pack("{s:o, s:f, s:b, s:s}", "query", elements_of(&seek->query), "weight",
                   seek->weight, "reached", (int)seek->reached, "how", seek->how);
}

static json_t *verdicts_array(const AttendPlan *plan) {
  json_t *array = json_array();
  for (int path = ATTEND_PATH_TILED; path < ATTEND_PATH_COUNT; path++) {
    const AttendPathVerdict *const verdict = &plan->verdicts[path];
    json_append(&array,
                json_pack("{s:s, s:s, s:I, s:I, s:o}", "path", attend_path_name((AttendPath)path),
                          "status", attend_status_name(verdict->status), "workspace_bytes",
                          (json_int_t)verdict->workspace_bytes, "score_bytes",
                          (json_int_t)verdict->score_bytes, "reason",
                          json_text_or_null(verdict->reason)));
  }
  return array;
}

static json_t *plan_object(const AttendPlan *plan, AttendStatus status) {
  const bool planned = status == ATTEND_OK;
  return json_pack(
      "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "status", attend_status_name(status),
      "path", planned ? json_string(attend_path_name(plan->path)) : json_null(), "isa",
      planned ? json_string(attend_isa_name(plan->isa)) : json_null(), "threads",
      json_count_or_null(plan->threads), "query_tile", json_count_or_null(plan->query_tile),
      "key_tile", json_count_or_null(plan->key_tile), "workspace_bytes",
      json_count_or_null(plan->workspace_bytes), "core_flops",
      json_figure_or_null(planned, plan->core_flops), "projection_flops",
      json_figure_or_null(planned, plan->projection_flops), "verdicts", verdicts_array(plan));
}

bool explanation_print_json(const Explanation *e) {
  json_t *const root = json_pack(
      "{s:{s:s, s:i}, s:s, s:o, s:o, s:o, s:o, s:o}", "schema", "name", "attend-explain", "version",
      EXPLAIN_SCHEMA_VERSION, "attend_version", attend_version(), "problem",
      lesson_object(e->lesson), "traces", traces_array(e), "differences", differences_array(e),
      "seek", seek_object(e->seek), "plan", plan_object(&e->plan, e->plan_status));
  if (root == NULL) return false;
  /* finish_stdout() reports an error of stdout. */
  const bool encoded =
      json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0 || ferror(stdout);
  putchar('\n');
  json_decref(root);
  return encoded;
}
