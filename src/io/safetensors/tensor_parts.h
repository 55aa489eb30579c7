/* tensor_parts.h - the handle of open tensors, for the parts of the safetensors reader.
 *
 * tensors.c owns the handle and its public calls, safetensors.c one file, tensor_index.c the index
 * of a sharded model, tensor_type.c the dtypes. A function that fails leaves its work so far in the
 * handle, and attend_close_tensors() releases it.
 */
#ifndef ATTEND_SRC_IO_SAFETENSORS_TENSOR_PARTS_H
#define ATTEND_SRC_IO_SAFETENSORS_TENSOR_PARTS_H

#include "io/json_text.h"

/* The largest header and index. The format's own reader has the same limit. */
#define TENSOR_HEADER_LIMIT ((size_t)100 * 1000 * 1000)

/* The one key of a header that is not the name of a tensor. */
#define TENSOR_METADATA "__metadata__"

/* One open and mapped file. */
typedef struct Shard {
  char *path;
  OpenFile file;
  void *map;    /* file.bytes bytes */
  size_t first; /* byte at which the data begins */
} Shard;

/* A tensor and the place of its bytes. Public calls hand out the address of `tensor`. */
typedef struct TensorEntry {
  AttendTensor tensor;
  size_t shard;      /* index in the handle */
  size_t begin, end; /* in the data of that file */
  bool named;        /* the index names it */
} TensorEntry;

struct AttendTensorFile {
  char *path; /* as it was opened */
  size_t shard_count, entry_count;
  Shard *shards;
  TensorEntry *entries;
  json_t *metadata; /* an object, or null */
};

/* As attend_open_tensors(). */
AttendStatus tensors_open(const char *path, AttendTensorFile **file, Fault *fault);

/* Opens and maps the file at `path`, checks its header, and adds it with its tensors. */
AttendStatus tensors_add_shard(const char *path, AttendTensorFile *file, Fault *fault);

/* Adds the files that the index at `path` names, and keeps the tensors that it names. */
AttendStatus tensors_add_index(const char *path, AttendTensorFile *file, Fault *fault);

/* Reads numbers first .. first + count of a tensor, which must have them, as attend_read_tensor()
 * does. fault->place is file->path, before and after. */
AttendStatus tensors_read_part(const AttendTensorFile *file, const char *name, size_t first,
                               size_t count, float *to, Fault *fault);

/* Compares two entries for qsort(): by name, then by shard. */
int tensors_compare(const void *a, const void *b);

/* Bits of one element, 0 if the dtype is not known. */
size_t tensor_type_bits(const char *dtype);

/* Whether its elements can be read as fp32. */
bool tensor_type_floats(const char *dtype, NumberKind *kind);

/* Counts the bytes of elements of `bits` bits. False if they are not a whole number, or if the
 * dimensions multiply to more than can be addressed; a dimension of 0 counts as 1 for that. */
bool tensor_count_bytes(const size_t *dims, size_t rank, size_t bits, size_t *bytes);

/* Writes "[2, 3]" into text and cuts it to size. */
void tensor_write_shape(const size_t *dims, size_t rank, char *text, size_t size);

#endif
