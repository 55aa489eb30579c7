/* layer_matrices.c - packs a layer's matrices from its tensors, some rows at a time.
 *
 * W_qkv and W_o are never whole in memory as floats: we read some rows of their tensors, widen and
 * pack them, and read the next ones into the same buffer. If the tensors are [out, in], these rows
 * are whole panels of columns; if they are [in, out], whole steps of inputs. For W_qkv the buffer
 * may hold rows of several tensors.
 */
#include "io/layer/layer_matrices.h"

#include <stdlib.h>

#include "io/safetensors/tensor_parts.h"
#include "size.h"

/* Floats of the buffer. It is larger if a single panel of columns is. */
#define BUFFER_FLOATS ((size_t)1 << 19)

/* One of the two packed matrices and the tensors that make it up. */
typedef struct Matrix {
  const Linear *linear;
  LayerRole roles[3];
  size_t count;
} Matrix;

typedef struct Reading {
  AttendContext *context;
  const AttendTensorFile *file;
  const LayerTensors *tensors;
  float *buffer;
  Fault *fault;
} Reading;

/* Floats in a row of the tensors. */
static size_t row_floats(const LayerTensors *tensors, const Linear *linear) {
  return tensors->orientation == ATTEND_OUT_IN ? linear->in : linear->out;
}

static size_t row_count(const LayerTensors *tensors, const Linear *linear) {
  return tensors->orientation == ATTEND_OUT_IN ? linear->out : linear->in;
}

static size_t buffer_rows(const LayerTensors *tensors, const Linear *linear) {
  const size_t rows = BUFFER_FLOATS / row_floats(tensors, linear) / KERNEL_PANEL * KERNEL_PANEL;
  return size_min(size_max(rows, KERNEL_PANEL), row_count(tensors, linear));
}

static AttendStatus read_rows(const Reading *r, LayerRole role, size_t first, size_t rows,
                              size_t floats, float *to) {
  return tensors_read_part(r->file, r->tensors->roles[role]->name, first * floats, rows * floats,
                           to, r->fault);
}

/* Packs columns first .. first + count of the matrix, which are rows of the tensors. */
static AttendStatus pack_columns(const Reading *r, const Matrix *matrix, size_t first,
                                 size_t count) {
  const size_t in = matrix->linear->in;
  LinearPart parts[3];
  LinearSource source = {parts, 0, ATTEND_OUT_IN, 0, in};
  size_t start = 0; /* of the tensor's columns */
  for (size_t k = 0; k < matrix->count; k++) {
    const size_t columns = r->tensors->counts[matrix->roles[k]] / in;
    const size_t from = size_max(first, start), to = size_min(first + count, start + columns);
    if (from < to) {
      float *const rows = r->buffer + (from - first) * in;
      const AttendStatus status = read_rows(r, matrix->roles[k], from - start, to - from, in, rows);
      if (status != ATTEND_OK) return status;
      parts[source.count++] = (LinearPart){rows, NULL, to - from, from};
    }
    start += columns;
  }
  linear_fill(r->context, &source, matrix->linear);
  return ATTEND_OK;
}

/* Packs inputs first .. first + count, which are rows of every tensor, one tensor after the
 * other. */
static AttendStatus pack_inputs(const Reading *r, const Matrix *matrix, size_t first,
                                size_t count) {
  LinearPart parts[3];
  const LinearSource source = {parts, matrix->count, ATTEND_IN_OUT, first, count};
  size_t start = 0;
  for (size_t k = 0; k < matrix->count; k++) {
    const size_t columns = r->tensors->counts[matrix->roles[k]] / matrix->linear->in;
    float *const rows = r->buffer + count * start;
    const AttendStatus status = read_rows(r, matrix->roles[k], first, count, columns, rows);
    if (status != ATTEND_OK) return status;
    parts[k] = (LinearPart){rows, NULL, columns, start};
    start += columns;
  }
  linear_fill(r->context, &source, matrix->linear);
  return ATTEND_OK;
}

static AttendStatus pack_matrix(const Reading *r, const Matrix *matrix) {
  const size_t step = buffer_rows(r->tensors, matrix->linear);
  const size_t rows = row_count(r->tensors, matrix->linear);
  AttendStatus status = ATTEND_OK;
  for (size_t first = 0; first < rows && status == ATTEND_OK; first += step) {
    const size_t count = size_min(step, rows - first);
    status = (r->tensors->orientation == ATTEND_OUT_IN ? pack_columns : pack_inputs)(r, matrix,
                                                                                     first, count);
  }
  return status;
}

static size_t buffer_floats(const LayerTensors *tensors, const Linear *linear) {
  return buffer_rows(tensors, linear) * row_floats(tensors, linear);
}

AttendStatus layer_read_matrices(AttendContext *context, const AttendTensorFile *file,
                                 const LayerTensors *tensors, const AttendWeights *weights,
                                 Fault *fault) {
  const Linear *const linears[] = {&weights->qkv, &weights->output};
  const Matrix fused = {linears[0], {LAYER_QKV}, 1};
  const Matrix apart = {linears[0], {LAYER_QUERY, LAYER_KEY, LAYER_VALUE}, 3};
  const Matrix output = {linears[1], {LAYER_OUTPUT}, 1};
  const size_t bytes = sizeof(float) * size_max(buffer_floats(tensors, linears[0]),
                                                buffer_floats(tensors, linears[1]));
  const Reading reading = {context, file, tensors, malloc(bytes), fault};
  if (reading.buffer == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes for a block of weights could not be allocated", bytes);
  }
  AttendStatus status = pack_matrix(&reading, tensors->roles[LAYER_QKV] ? &fused : &apart);
  if (status == ATTEND_OK) status = pack_matrix(&reading, &output);
  free(reading.buffer);
  return status;
}
