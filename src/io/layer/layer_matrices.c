/* layer_matrices.c - the matrices of a layer from its tensors into packed weights, block by block.
 *
 * W_qkv and W_o are never in memory as floats: a block of rows of their tensors is read, widened
 * and packed, and the next one takes its place. A block is whole panels of columns where the
 * tensors are [out, in], and whole steps of inputs where they are [in, out]; of W_qkv it may hold
 * rows of several tensors.
 */
#include "io/layer/layer_matrices.h"

#include <stdlib.h>

#include "io/safetensors/tensor_parts.h"
#include "size.h"

/* Floats of a block, where a panel of columns is not longer. */
#define BLOCK_FLOATS ((size_t)1 << 19)

/* One of the two matrices that are packed, and the tensors that it is made of. */
typedef struct Matrix {
  const Linear *linear;
  LayerRole roles[3];
  size_t count;
} Matrix;

typedef struct Reading {
  AttendContext *context;
  const AttendTensorFile *file;
  const LayerTensors *tensors;
  float *block;
  Fault *fault;
} Reading;

/* Floats of a row of the tensors, and rows of the matrix, which go through a block. */
static size_t row_floats(const LayerTensors *tensors, const Linear *linear) {
  return tensors->orientation == ATTEND_OUT_IN ? linear->in : linear->out;
}

static size_t row_count(const LayerTensors *tensors, const Linear *linear) {
  return tensors->orientation == ATTEND_OUT_IN ? linear->out : linear->in;
}

static size_t block_rows(const LayerTensors *tensors, const Linear *linear) {
  const size_t rows = BLOCK_FLOATS / row_floats(tensors, linear) / KERNEL_PANEL * KERNEL_PANEL;
  return size_min(size_max(rows, KERNEL_PANEL), row_count(tensors, linear));
}

static AttendStatus read_rows(const Reading *r, LayerRole role, size_t first, size_t rows,
                              size_t floats, float *to) {
  return tensors_read_part(r->file, r->tensors->roles[role]->name, first * floats, rows * floats,
                           to, r->fault);
}

/* Columns first .. first + count of the matrix: rows of the tensors that have them. */
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
      float *const rows = r->block + (from - first) * in;
      const AttendStatus status = read_rows(r, matrix->roles[k], from - start, to - from, in, rows);
      if (status != ATTEND_OK) return status;
      parts[source.count++] = (LinearPart){rows, NULL, to - from, from};
    }
    start += columns;
  }
  linear_fill(r->context, &source, matrix->linear);
  return ATTEND_OK;
}

/* Inputs first .. first + count: rows of every tensor, one tensor's after the other's. */
static AttendStatus pack_inputs(const Reading *r, const Matrix *matrix, size_t first,
                                size_t count) {
  LinearPart parts[3];
  const LinearSource source = {parts, matrix->count, ATTEND_IN_OUT, first, count};
  size_t start = 0;
  for (size_t k = 0; k < matrix->count; k++) {
    const size_t columns = r->tensors->counts[matrix->roles[k]] / matrix->linear->in;
    float *const rows = r->block + count * start;
    const AttendStatus status = read_rows(r, matrix->roles[k], first, count, columns, rows);
    if (status != ATTEND_OK) return status;
    parts[k] = (LinearPart){rows, NULL, columns, start};
    start += columns;
  }
  linear_fill(r->context, &source, matrix->linear);
  return ATTEND_OK;
}

static AttendStatus pack_matrix(const Reading *r, const Matrix *matrix) {
  const size_t step = block_rows(r->tensors, matrix->linear);
  const size_t rows = row_count(r->tensors, matrix->linear);
  AttendStatus status = ATTEND_OK;
  for (size_t first = 0; first < rows && status == ATTEND_OK; first += step) {
    const size_t count = size_min(step, rows - first);
    status = (r->tensors->orientation == ATTEND_OUT_IN ? pack_columns : pack_inputs)(r, matrix,
                                                                                     first, count);
  }
  return status;
}

static size_t block_floats(const LayerTensors *tensors, const Linear *linear) {
  return block_rows(tensors, linear) * row_floats(tensors, linear);
}

AttendStatus layer_read_matrices(AttendContext *context, const AttendTensorFile *file,
                                 const LayerTensors *tensors, const AttendWeights *weights,
                                 Fault *fault) {
  const Linear *const linears[] = {&weights->qkv, &weights->output};
  const Matrix fused = {linears[0], {LAYER_QKV}, 1};
  const Matrix apart = {linears[0], {LAYER_QUERY, LAYER_KEY, LAYER_VALUE}, 3};
  const Matrix output = {linears[1], {LAYER_OUTPUT}, 1};
  const size_t bytes = sizeof(float) * size_max(block_floats(tensors, linears[0]),
                                                block_floats(tensors, linears[1]));
  const Reading reading = {context, file, tensors, malloc(bytes), fault};
  if (reading.block == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes for a block of weights could not be allocated", bytes);
  }
  AttendStatus status = pack_matrix(&reading, tensors->roles[LAYER_QKV] ? &fused : &apart);
  if (status == ATTEND_OK) status = pack_matrix(&reading, &output);
  free(reading.block);
  return status;
}
