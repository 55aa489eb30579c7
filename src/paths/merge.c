/* merge.c - attend_merge_states(): combines attention over parts of the keys.
 *
 * A part is an output and its LSE. Each row is merged on its own, in double: with m the largest LSE
 * of the row's parts, a part has the weight exp(lse - m) over the sum of these. There are few parts,
 * and every row is read once, so memory bandwidth limits the speed.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "platform/parallel.h"
#include "problem/shape.h"
#include "size.h"

/* Columns of a row that are summed at a time. */
#define COLUMNS 64

typedef struct Merge {
  const AttendShape *shape;
  const AttendState *parts;
  size_t count;
  AttendOutputView out;
  float *lse;
} Merge;

static const float *part_row(const AttendState *part, size_t b, size_t i, size_t h) {
  return part->out.data + b * part->out.batch_stride + i * part->out.token_stride +
         h * part->out.head_stride;
}

/* Returns how many parts of a row saw a key. *largest is the largest LSE of them and *last the last
 * of them. A NaN counts as largest, so that it reaches the result. */
static size_t count_parts(const Merge *merge, size_t row, double *largest, size_t *last) {
  size_t seen = 0;
  *largest = -INFINITY;
  for (size_t k = 0; k < merge->count; k++) {
    const double lse = (double)merge->parts[k].lse[row];
    if (lse == -INFINITY) continue;
    if (!(lse <= *largest)) *largest = lse;
    *last = k;
    seen++;
  }
  return seen;
}

static void merge_row(const Merge *merge, size_t b, size_t i, size_t h) {
  const size_t Dv = merge->shape->value_dim;
  const size_t row = (b * merge->shape->query_heads + h) * merge->shape->query_tokens + i;
  float *const out = merge->out.data + b * merge->out.batch_stride + i * merge->out.token_stride +
                     h * merge->out.head_stride;
  double largest = 0.0;
  size_t last = 0;
  const size_t seen = count_parts(merge, row, &largest, &last);
  if (seen <= 1) {
    const float *const from = seen ? part_row(&merge->parts[last], b, i, h) : NULL;
    const float lse = seen ? merge->parts[last].lse[row] : -INFINITY;
    if (!from) memset(out, 0, Dv * sizeof *out);
    if (from && from != out) memcpy(out, from, Dv * sizeof *out);
    if (merge->lse) merge->lse[row] = lse;
    return;
  }
  double sum = 0.0;
  for (size_t k = 0; k < merge->count; k++) sum += exp((double)merge->parts[k].lse[row] - largest);
  const double total = largest + log(sum);
  for (size_t first = 0; first < Dv; first += COLUMNS) {
    const size_t columns = size_min(COLUMNS, Dv - first);
    double mean[COLUMNS] = {0};
    for (size_t k = 0; k < merge->count; k++) {
      const double lse = (double)merge->parts[k].lse[row], weight = exp(lse - total);
      if (lse == -INFINITY) continue;
      const float *const from = part_row(&merge->parts[k], b, i, h) + first;
      for (size_t d = 0; d < columns; d++) mean[d] += weight * (double)from[d];
    }
    for (size_t d = 0; d < columns; d++) out[first + d] = (float)mean[d];
  }
  if (merge->lse) merge->lse[row] = (float)total;
}

/* Merges all heads of one query token. */
static void merge_token(void *argument, size_t index, size_t thread) {
  const Merge *const merge = argument;
  const size_t b = index / merge->shape->query_tokens, i = index % merge->shape->query_tokens;
  (void)thread;
  for (size_t h = 0; h < merge->shape->query_heads; h++) merge_row(merge, b, i, h);
}

/* The output may be the memory of one part, with the same strides. Every other overlap is an
 * error. */
static bool same_view(AttendOutputView a, AttendView b) {
  return a.data == b.data && a.batch_stride == b.batch_stride && a.token_stride == b.token_stride &&
         a.head_stride == b.head_stride;
}

static AttendStatus check_part(const Merge *merge, size_t k, const size_t counts[3], Span out,
                               Span lse, Fault *fault) {
  const AttendState *const part = &merge->parts[k];
  const Span part_lse = {"a part's lse", part->lse, counts[0] * counts[1] * counts[2]};
  Span rows;
  if (shape_span_of_view("a part's out", part->out, counts, merge->shape->value_dim, &rows,
                         fault) ||
      shape_check_pointer(part_lse, fault)) {
    return fault->status;
  }
  if (!same_view(merge->out, part->out) && shape_check_apart(out, rows, fault)) {
    return fault->status;
  }
  if (lse.data != part_lse.data && shape_check_apart(lse, part_lse, fault)) return fault->status;
  if (shape_check_apart(out, part_lse, fault)) return fault->status;
  return shape_check_apart(lse, rows, fault);
}

static AttendStatus check_merge(const Merge *merge, Fault *fault) {
  const AttendShape *const s = merge->shape;
  const AttendOutputView o = merge->out;
  const AttendView written = {o.data, o.batch_stride, o.token_stride, o.head_stride};
  const size_t counts[3] = {s->batch, s->query_tokens, s->query_heads};
  const NamedSize named[] = {{"shape.batch", s->batch},
                             {"shape.query_heads", s->query_heads},
                             {"shape.value_dim", s->value_dim},
                             {"count", merge->count}};
  if (shape_check_positive(named, sizeof named / sizeof *named, fault)) return fault->status;
  bool overflow = false;
  const size_t rows =
      size_multiply(size_multiply(s->batch, s->query_tokens, &overflow), s->query_heads, &overflow);
  size_multiply(rows, sizeof(float), &overflow);
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "%zu x %zu x %zu rows cannot be counted in bytes", s->batch, s->query_tokens,
                     s->query_heads);
  }
  const Span lse = {"lse", merge->lse, merge->lse ? rows : 0};
  Span out;
  if (shape_span_of_view("out", written, counts, s->value_dim, &out, fault)) return fault->status;
  if (rows && shape_check_rows_apart("out", o, counts, s->value_dim, fault)) return fault->status;
  if (shape_check_pointer(lse, fault) || shape_check_apart(lse, out, fault)) return fault->status;
  for (size_t k = 0; k < merge->count; k++) {
    if (check_part(merge, k, counts, out, lse, fault)) return fault->status;
  }
  return ATTEND_OK;
}

AttendStatus attend_merge_states(AttendContext *context, const AttendShape *shape,
                                 const AttendState *parts, size_t count, AttendOutputView out,
                                 float *lse) {
  if (!context) return ATTEND_STATUS_NULL_POINTER;
  Fault *const fault = &context->fault;
  fault_clear(fault);
  if (!shape || !parts) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null", shape ? "parts" : "shape");
  }
  Merge merge = {shape, parts, count, out, lse};
  if (check_merge(&merge, fault)) return fault->status;
  parallel_for(context->settings.threads, shape->batch * shape->query_tokens, merge_token, &merge);
  return ATTEND_OK;
}
