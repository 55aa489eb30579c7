/* linear.c - packs weight matrices in their storage.
 *
 * Matrices given as [out, in] are transposed here, once. Panels are independent of each other, so
 * threads take them one by one; a panel may hold columns of two parts.
 */
#include "layer/linear.h"

#include <string.h>

#include "platform/parallel.h"

/* Inputs that are gathered at a time for a panel. Their columns stay in L1. */
#define GATHERED (2 * KERNEL_STEP)

size_t linear_reserve(Layout *layout, size_t in, size_t out, AttendStorage storage) {
  const StorageFormat format = storage_format(storage);
  if (format.number == KERNEL_FP32) return layout_floats(layout, in, out);
  const size_t columns = size_add(out, KERNEL_PANEL - 1, &layout->overflow) / KERNEL_PANEL;
  const size_t panel = size_multiply(stored_word_rows(format.number, in),
                                     format.terms * KERNEL_PANEL, &layout->overflow);
  return layout_floats(layout, columns, panel);
}

/* to[inputs, first..first+columns) = part's matrix, whichever way round it lies. */
static void copy_columns(const LinearPart *part, const LinearSource *source, float *to,
                         size_t to_stride) {
  const size_t block = 32; /* rows and columns at a time, so that both sides stay in cache lines */
  const size_t in = source->inputs;
  float *const first = to + part->first_column;
  if (source->orientation == ATTEND_IN_OUT) {
    for (size_t i = 0; i < in; i++) {
      memcpy(first + i * to_stride, part->weight + i * part->columns,
             part->columns * sizeof *first);
    }
    return;
  }
  for (size_t i0 = 0; i0 < in; i0 += block) {
    for (size_t o0 = 0; o0 < part->columns; o0 += block) {
      for (size_t i = i0; i < size_min(i0 + block, in); i++) {
        for (size_t o = o0; o < size_min(o0 + block, part->columns); o++) {
          first[i * to_stride + o] = part->weight[o * in + i];
        }
      }
    }
  }
}

typedef struct PanelJob {
  const Kernels *kernels;
  const LinearSource *source;
  const Linear *linear;
  size_t first; /* panel */
} PanelJob;

/* gathered[inputs, P] = inputs i .. i + inputs of the columns begin .. end that the part has. */
static void gather_part(const PanelJob *job, const LinearPart *part, size_t i, size_t inputs,
                        size_t begin, size_t end, float *gathered) {
  const size_t from = size_max(begin, part->first_column);
  const size_t to = size_min(end, part->first_column + part->columns);
  if (from >= to) return;
  const size_t column = from - part->first_column, count = to - from;
  const size_t at = i - job->source->first_input;
  float *const first = gathered + (from - begin);
  for (size_t k = 0; job->source->orientation == ATTEND_IN_OUT && k < inputs; k++) {
    memcpy(first + k * KERNEL_PANEL, part->weight + (at + k) * part->columns + column,
           count * sizeof *gathered);
  }
  for (size_t c = 0; job->source->orientation == ATTEND_OUT_IN && c < count; c++) {
    const float *const row = part->weight + (column + c) * job->source->inputs + at;
    for (size_t k = 0; k < inputs; k++) first[k * KERNEL_PANEL + c] = row[k];
  }
}

static void pack_panel(void *argument, size_t index, size_t thread) {
  const PanelJob *const job = argument;
  const StoredMatrix *const weight = &job->linear->weight;
  const size_t begin = (job->first + index) * KERNEL_PANEL;
  const size_t end = size_min(begin + KERNEL_PANEL, job->linear->out);
  const size_t first = job->source->first_input, last = first + job->source->inputs;
  _Alignas(KERNEL_ALIGNMENT) float gathered[GATHERED * KERNEL_PANEL];
  (void)thread;
  for (size_t i = first; i < last; i += GATHERED) {
    const size_t inputs = size_min(GATHERED, last - i);
    for (size_t p = 0; p < job->source->count; p++) {
      gather_part(job, &job->source->parts[p], i, inputs, begin, end, gathered);
    }
    job->kernels->pack_value_pairs(inputs, end - begin, gathered, KERNEL_PANEL, weight->number,
                                   weight->terms, weight->term_stride, stored_at(weight, i, begin));
  }
}

void linear_fill_bias(const LinearPart *parts, size_t count, float *bias) {
  for (size_t p = 0; p < count; p++) {
    float *const to = bias + parts[p].first_column;
    for (size_t o = 0; o < parts[p].columns; o++) to[o] = parts[p].bias ? parts[p].bias[o] : 0.0f;
  }
}

Linear linear_at(size_t in, size_t out, AttendStorage storage, void *matrix, const float *bias) {
  const StorageFormat format = storage_format(storage);
  const bool row_major = format.number == KERNEL_FP32;
  const size_t columns = row_major ? out : KERNEL_PANEL;
  const size_t term = stored_word_rows(format.number, in) * columns;
  return (Linear){.in = in,
                  .out = out,
                  .weight = {.number = format.number,
                             .terms = format.terms,
                             .panel_columns = columns,
                             .term_stride = term,
                             .panel_stride = format.terms * term,
                             .words = matrix},
                  .bias = bias};
}

void linear_fill(const AttendContext *context, const LinearSource *source, const Linear *linear) {
  const LinearPart *const last = &source->parts[source->count - 1];
  const size_t begin = source->parts[0].first_column, end = last->first_column + last->columns;
  if (linear->weight.number == KERNEL_FP32) {
    float *const to = stored_floats(&linear->weight, source->first_input, 0);
    for (size_t p = 0; p < source->count; p++) {
      copy_columns(&source->parts[p], source, to, linear->out);
    }
    return;
  }
  PanelJob job = {context->kernels, source, linear, begin / KERNEL_PANEL};
  const size_t threads =
      parallel_worth(context->settings.threads, (double)source->inputs * (double)(end - begin));
  parallel_for(threads, size_ceil_divide(end - begin, KERNEL_PANEL), pack_panel, &job);
}

double linear_bytes(const Linear *linear) {
  const size_t each = linear->weight.terms * number_bytes(linear->weight.number);
  return (double)each * (double)linear->in * (double)linear->out;
}
