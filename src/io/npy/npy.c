/* npy.c - reads .npy files (NEP 1) as fp32 in C order, and writes them as f4 in C order.
 *
 * npy_header.c reads the shape and compares it with the file's size, before we allocate anything
 * here. The caller gets the whole array or nothing.
 */
#include <stdlib.h>
#include <unistd.h>

#include "io/npy/npy_header.h"
#include "platform/output_file.h"
#include "size.h"

/* Copies from Fortran order, in which the first index runs fastest, to C order. */
static void reorder(const NpyHeader *header, const float *from, float *to) {
  size_t index[ATTEND_ARRAY_RANK] = {0}, stride[ATTEND_ARRAY_RANK] = {0};
  size_t step = 1, place = 0;
  for (size_t d = header->rank; d-- > 0; step *= header->dims[d]) stride[d] = step;
  for (size_t i = 0; i < header->count; i++) {
    to[place] = from[i];
    for (size_t d = 0; d < header->rank; d++) {
      place += stride[d];
      if (++index[d] < header->dims[d]) break;
      place -= stride[d] * header->dims[d];
      index[d] = 0;
    }
  }
}

static AttendStatus read_numbers(const OpenFile *file, const NpyHeader *header, float **data,
                                 Fault *fault) {
  *data = NULL;
  if (header->count == 0) return ATTEND_OK;
  const bool reorders = header->fortran_order && header->rank > 1;
  float *const read = malloc(header->count * sizeof *read);
  float *const ordered = reorders ? malloc(header->count * sizeof *ordered) : NULL;
  AttendStatus status = ATTEND_OK;
  if (read == NULL || (reorders && ordered == NULL)) {
    status = fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated",
                       header->count * sizeof *read);
  } else {
    status = file_read_floats(file, header->offset, header->kind, header->count, read, fault);
  }
  if (status == ATTEND_OK && reorders) reorder(header, read, ordered);
  if (status == ATTEND_OK) *data = reorders ? ordered : read;
  if (*data != read) free(read);
  if (*data != ordered) free(ordered);
  return status;
}

static AttendStatus read_npy(const char *path, AttendArray *array, Fault *fault) {
  if (path == NULL || array == NULL) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     path == NULL ? "the path" : "the array to fill");
  }
  OpenFile file = {-1, 0};
  NpyHeader header;
  float *data = NULL;
  if (file_open(path, &file, fault)) return fault->status;
  AttendStatus status = npy_read_header(&file, &header, fault);
  if (status == ATTEND_OK) status = read_numbers(&file, &header, &data, fault);
  close(file.descriptor);
  if (status != ATTEND_OK) return status;

  *array = (AttendArray){.rank = header.rank, .data = data, .dtype = header.dtype};
  memcpy(array->dims, header.dims, header.rank * sizeof *header.dims);
  return ATTEND_OK;
}

AttendStatus attend_read_npy(const char *path, AttendArray *array, char *error, size_t error_size) {
  Fault fault = {.place = path != NULL ? path : "the .npy file"};
  read_npy(path, array, &fault);
  return fault_tell(&fault, error, error_size);
}

/* Writes everything that precedes the numbers. They begin at a multiple of 64 bytes. */
static size_t make_header(const size_t *dims, size_t rank, char *text, size_t size) {
  const size_t first = 10;
  size_t length = first;
  memcpy(text, "\x93NUMPY\x01\x00\x00\x00", first);
  length += (size_t)snprintf(text + length, size - length,
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (");
  for (size_t i = 0; i < rank; i++) {
    const char *const comma = rank == 1 ? "," : i + 1 < rank ? ", " : "";
    length += (size_t)snprintf(text + length, size - length, "%zu%s", dims[i], comma);
  }
  length += (size_t)snprintf(text + length, size - length, "), }");
  while ((length + 1) % 64 != 0) text[length++] = ' ';
  text[length++] = '\n';
  text[8] = (char)(length - first);
  text[9] = (char)((length - first) >> 8);
  return length;
}

/* Checks that the array can be written, and counts its numbers. */
static AttendStatus check_array(const float *data, const size_t *dims, size_t rank, size_t *count,
                                Fault *fault) {
  if (rank > ATTEND_ARRAY_RANK) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "the array has %zu dimensions; at most %d are written", rank,
                     ATTEND_ARRAY_RANK);
  }
  bool overflow = false;
  size_t bytes = sizeof *data;
  *count = 1;
  for (size_t i = 0; i < rank; i++) {
    bytes = size_multiply(bytes, size_max(dims[i], 1), &overflow);
    *count *= dims[i];
  }
  if (overflow) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "the dimensions multiply to more than %zu bytes", SIZE_LIMIT);
  }
  if (data == NULL && *count > 0) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER,
                     "the data is null; a pointer to %zu numbers is expected", *count);
  }
  return ATTEND_OK;
}

static AttendStatus write_npy(const char *path, const float *data, const size_t *dims, size_t rank,
                              Fault *fault) {
  if (path == NULL || (dims == NULL && rank > 0)) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     path == NULL ? "the path" : "the dimensions");
  }
  size_t count = 0;
  if (check_array(data, dims, rank, &count, fault)) return fault->status;

  OutputFile file;
  if (!output_file_open(&file, path)) return file_unwritable(fault);
  char header[256];
  output_file_write(&file, header, make_header(dims, rank, header, sizeof header));
  output_file_write(&file, data, count * sizeof *data);
  return output_file_commit(&file) ? ATTEND_OK : file_unwritable(fault);
}

AttendStatus attend_write_npy(const char *path, const float *data, const size_t *dims, size_t rank,
                              char *error, size_t error_size) {
  Fault fault = {.place = path != NULL ? path : "the .npy file"};
  write_npy(path, data, dims, rank, &fault);
  return fault_tell(&fault, error, error_size);
}

void attend_free_array(AttendArray *array) {
  if (array == NULL) return;
  free(array->data);
  *array = (AttendArray){0};
}
