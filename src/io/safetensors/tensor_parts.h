/* tensor_parts.h - what the parts of the safetensors reader share.
 *
 * tensors.c owns the handle and its public calls; safetensors.c one file, mapped, with its header
 * checked; tensor_index.c the index of a sharded model; tensor_type.c what the dtypes are. A
 * function that fails has written the sentence and leaves what it made so far in the handle, which
 * attend_close_tensors() releases.
 */
#ifndef ATTEND_SRC_IO_SAFETENSORS_TENSOR_PARTS_H
#define ATTEND_SRC_IO_SAFETENSORS_TENSOR_PARTS_H

#include "io/json_text.h"

/* The largest header and index: what the format's own reader takes. */
#define TENSOR_HEADER_LIMIT ((size_t)100 * 1000 * 1000)

/* Key of a header that names no tensor. */
#define TENSOR_METADATA "__metadata__"

/* One file, open and mapped. */
typedef struct Shard {
  char *path;
  OpenFile file;
  void *map;    /* file.bytes bytes */
  size_t first; /* byte at which the data begins */
} Shard;

/* A tensor, and where its bytes are. Public calls hand out the address of `tensor`. */
typedef struct TensorEntry {
  AttendTensor tensor;
  size_t shard;      /* index in the handle */
  size_t begin, end; /* in the data of that file */
  bool named;        /* by the index */
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

/* Order of names, then of shards. */
int tensors_compare(const void *a, const void *b);

/* Bits of one element, 0 if the dtype is not known. */
size_t tensor_type_bits(const char *dtype);

/* Whether its elements can be read as fp32. */
bool tensor_type_floats(const char *dtype, NumberKind *kind);

/* The bytes that elements of so many bits take. False if that is more than can be addressed, also
 * by the dimensions that are not 0 where another one is, or no whole number of bytes. */
bool tensor_count_bytes(const size_t *dims, size_t rank, size_t bits, size_t *bytes);

/* Writes "[2, 3]" into text, cut to size. */
void tensor_write_shape(const size_t *dims, size_t rank, char *text, size_t size);

#endif
