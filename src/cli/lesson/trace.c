/* trace.c - keeps matrices by name and head. A matrix that arises again, such as the keys of a
 * group, is kept once. */
#include "cli/lesson/trace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "query", "key",           "value",   "unscaled_scores", "scores", "capped_scores",
    "mask",  "masked_scores", "weights", "context",         "concat", "output",
};

const char *trace_name_at(size_t index) {
  return index < sizeof names / sizeof *names ? names[index] : NULL;
}

static bool has_room(Trace *trace) {
  if (trace->count < trace->capacity) return true;
  const size_t capacity = trace->capacity > 0 ? 2 * trace->capacity : 16;
  TraceMatrix *const items = realloc(trace->items, capacity * sizeof *items);
  if (items == NULL) return false;
  trace->items = items;
  trace->capacity = capacity;
  return true;
}

void trace_add(Trace *trace, const char *name, bool of_head, size_t head, Matrix *matrix) {
  if (matrix->data == NULL || trace_find(trace, name, head) != NULL || !has_room(trace)) {
    if (trace_find(trace, name, head) == NULL) trace->out_of_memory = true;
    matrix_free(matrix);
    return;
  }
  TraceMatrix *const item = &trace->items[trace->count++];
  *item = (TraceMatrix){.of_head = of_head, .head = head, .matrix = *matrix};
  snprintf(item->name, sizeof item->name, "%s", name);
  *matrix = (Matrix){0};
}

const Matrix *trace_find(const Trace *trace, const char *name, size_t head) {
  for (size_t i = 0; i < trace->count; i++) {
    const TraceMatrix *const item = &trace->items[i];
    if (item->head == head && strcmp(item->name, name) == 0) return &item->matrix;
  }
  return NULL;
}

void trace_free(Trace *trace) {
  for (size_t i = 0; i < trace->count; i++) matrix_free(&trace->items[i].matrix);
  free(trace->items);
  *trace = (Trace){0};
}

bool trace_difference(const Trace *a, const Trace *b, const char *name, double *difference) {
  bool found = false;
  *difference = 0;
  for (size_t i = 0; i < a->count; i++) {
    const TraceMatrix *const item = &a->items[i];
    if (strcmp(item->name, name) != 0) continue;
    const Matrix *const other = trace_find(b, name, item->head);
    if (other == NULL) continue;
    const double of_this = matrix_difference(&item->matrix, other);
    if (isnan(of_this) || of_this > *difference) *difference = of_this;
    found = true;
  }
  return found;
}
