/* safetensors.c - checks the header of one safetensors file and maps its data.
 *
 * A file is 8 bytes with the header's length, the header (a JSON object of tensors, each with
 * dtype, shape and its bytes of the data), and the data. The header is read and not mapped: if
 * another program shortens the file, we return an error and get no signal.
 *
 * Refuses a tensor whose bytes do not fit its dtype and shape, and tensors that overlap, lie
 * outside the data or leave a hole in it.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/safetensors/tensor_parts.h"
#include "size.h"

#define LENGTH_BYTES 8

/* The file that is being added. */
typedef struct Reading {
  Fault *fault;
  Shard *shard;
  size_t shard_index;
  size_t data_bytes; /* behind the header */
} Reading;

static AttendStatus refuse_field(const Reading *reading, const char *name, const char *field,
                                 const json_t *found, const char *expected) {
  char words[JSON_WORDS_SIZE] = "missing";
  if (found != NULL) json_describe(found, words, sizeof words);
  return fault_set(reading->fault, ATTEND_STATUS_FILE_INVALID,
                   "tensor \"%.*s\": %s is %s; %s is expected", FILE_SHOWN(name), field, words,
                   expected);
}

/* Reads a JSON integer that is a size. */
static bool read_size(const json_t *value, size_t *size) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *size = (size_t)json_integer_value(value);
  return *size <= SIZE_LIMIT;
}

static AttendStatus read_shape(const Reading *reading, const char *name, const json_t *shape,
                               AttendTensor *tensor) {
  if (!json_is_array(shape)) {
    return refuse_field(reading, name, "\"shape\"", shape, "an array of sizes");
  }
  tensor->rank = json_array_size(shape);
  if (tensor->rank > ATTEND_TENSOR_RANK) {
    return fault_set(reading->fault, ATTEND_STATUS_FILE_INVALID,
                     "tensor \"%.*s\" has %zu dimensions; at most %d are read", FILE_SHOWN(name),
                     tensor->rank, ATTEND_TENSOR_RANK);
  }
  for (size_t i = 0; i < tensor->rank; i++) {
    const json_t *const dim = json_array_get(shape, i);
    if (!read_size(dim, &tensor->dims[i])) {
      return refuse_field(reading, name, "a dimension", dim, "a size of at least 0");
    }
  }
  return ATTEND_OK;
}

static AttendStatus read_offsets(const Reading *reading, const char *name, const json_t *offsets,
                                 TensorEntry *entry) {
  if (json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &entry->begin) ||
      !read_size(json_array_get(offsets, 1), &entry->end)) {
    return refuse_field(reading, name, "\"data_offsets\"", offsets,
                        "an array of two sizes, begin and end,");
  }
  if (entry->begin > entry->end || entry->end > reading->data_bytes) {
    return fault_set(reading->fault, ATTEND_STATUS_FILE_INVALID,
                     "tensor \"%.*s\" is said to be bytes %zu to %zu of the data, which has %zu; "
                     "a begin, and behind it an end that is inside, are expected",
                     FILE_SHOWN(name), entry->begin, entry->end, reading->data_bytes);
  }
  return ATTEND_OK;
}

/* Compares the tensor's bytes with its dtype and shape; of an unknown dtype, checks the shape
 * only. */
static AttendStatus check_bytes(const Reading *reading, const TensorEntry *entry) {
  const AttendTensor *const tensor = &entry->tensor;
  const size_t bits = tensor_type_bits(tensor->dtype);
  size_t bytes = 0;
  char shape[192];
  tensor_write_shape(tensor->dims, tensor->rank, shape, sizeof shape);
  if (!tensor_count_bytes(tensor->dims, tensor->rank, bits, &bytes)) {
    return fault_set(reading->fault, ATTEND_STATUS_OVERFLOW,
                     "tensor \"%.*s\" has shape %s, which makes no number of bytes that can be "
                     "addressed",
                     FILE_SHOWN(tensor->name), shape);
  }
  if (bits > 0 && bytes != tensor->bytes) {
    return fault_set(reading->fault, ATTEND_STATUS_FILE_INVALID,
                     "tensor \"%.*s\" has %zu bytes; %zu are expected for %s of shape %s",
                     FILE_SHOWN(tensor->name), tensor->bytes, bytes, tensor->dtype, shape);
  }
  return ATTEND_OK;
}

/* Fills an entry. The handle owns its strings, also on failure. */
static AttendStatus read_entry(const Reading *reading, const char *name, const json_t *value,
                               TensorEntry *entry) {
  AttendTensor *const tensor = &entry->tensor;
  if (!json_is_object(value)) {
    return refuse_field(reading, name, "its value", value, "an object");
  }
  const json_t *const dtype = json_object_get(value, "dtype");
  if (!json_is_string(dtype)) {
    return refuse_field(reading, name, "\"dtype\"", dtype, "a string such as \"F32\"");
  }
  AttendStatus status = read_shape(reading, name, json_object_get(value, "shape"), tensor);
  if (status == ATTEND_OK) {
    status = read_offsets(reading, name, json_object_get(value, "data_offsets"), entry);
  }
  if (status != ATTEND_OK) return status;

  tensor->name = file_text("%s", name);
  tensor->dtype = file_text("%s", json_string_value(dtype));
  if (tensor->name == NULL || tensor->dtype == NULL) {
    return fault_set(reading->fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "the name of a tensor could not be allocated");
  }
  tensor->path = reading->shard->path;
  tensor->bytes = entry->end - entry->begin;
  tensor->data = (const char *)reading->shard->map + reading->shard->first + entry->begin;
  entry->shard = reading->shard_index;
  return check_bytes(reading, entry);
}

static int compare_places(const void *a, const void *b) {
  const TensorEntry *const one = a, *const other = b;
  if (one->begin != other->begin) return one->begin < other->begin ? -1 : 1;
  if (one->end != other->end) return one->end < other->end ? -1 : 1;
  return strcmp(one->tensor.name, other->tensor.name);
}

/* Sorts the tensors by their bytes and checks that these follow one another without a gap. */
static AttendStatus check_cover(const Reading *reading, TensorEntry *entries, size_t count) {
  if (count > 0) qsort(entries, count, sizeof *entries, compare_places);
  size_t covered = 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].begin < covered) {
      return fault_set(reading->fault, ATTEND_STATUS_FILE_INVALID,
                       "tensors \"%.*s\" and \"%.*s\" overlap at byte %zu of the data; each byte "
                       "belongs to one tensor",
                       FILE_SHOWN(entries[i - 1].tensor.name), FILE_SHOWN(entries[i].tensor.name),
                       entries[i].begin);
    }
    if (entries[i].begin > covered) break;
    covered = entries[i].end;
  }
  if (covered != reading->data_bytes) {
    return fault_set(reading->fault, ATTEND_STATUS_FILE_INVALID,
                     "byte %zu of the data belongs to no tensor; the tensors are expected to "
                     "cover all %zu bytes",
                     covered, reading->data_bytes);
  }
  return ATTEND_OK;
}

static AttendStatus check_metadata(const Reading *reading, json_t *metadata) {
  const char *key;
  json_t *value;
  if (!json_is_object(metadata)) {
    return refuse_field(reading, TENSOR_METADATA, "its value", metadata, "an object");
  }
  json_object_foreach(metadata, key, value) {
    if (!json_is_string(value)) {
      return refuse_field(reading, TENSOR_METADATA, "an entry", value, "a string");
    }
  }
  return ATTEND_OK;
}

/* Makes room for `more` entries behind the present ones. */
static AttendStatus reserve_entries(AttendTensorFile *file, size_t more, Fault *fault) {
  bool overflow = false;
  const size_t count = size_add(file->entry_count, more, &overflow);
  const size_t bytes = size_multiply(count, sizeof *file->entries, &overflow);
  if (bytes == 0) return ATTEND_OK;
  TensorEntry *const entries = overflow ? NULL : realloc(file->entries, bytes);
  if (entries == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "%zu tensors could not be allocated",
                     count);
  }
  file->entries = entries;
  return ATTEND_OK;
}

static AttendStatus read_entries(const Reading *reading, json_t *header, AttendTensorFile *file) {
  AttendStatus status = reserve_entries(file, json_object_size(header), reading->fault);
  const size_t first = file->entry_count;
  const char *name;
  json_t *value;
  if (status != ATTEND_OK) return status;
  json_object_foreach(header, name, value) {
    if (strcmp(name, TENSOR_METADATA) == 0) {
      status = check_metadata(reading, value);
      if (status == ATTEND_OK && file->metadata == NULL) file->metadata = json_incref(value);
    } else {
      TensorEntry *const entry = &file->entries[file->entry_count++];
      *entry = (TensorEntry){.begin = 0};
      status = read_entry(reading, name, value, entry);
    }
    if (status != ATTEND_OK) return status;
  }
  if (file->entry_count == first) return check_cover(reading, NULL, 0);
  return check_cover(reading, file->entries + first, file->entry_count - first);
}

static AttendStatus read_header(const Reading *reading, size_t length, json_t **header) {
  Fault *const fault = reading->fault;
  char *const text = malloc(length);
  if (text == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "%zu bytes of header could not be allocated", length);
  }
  AttendStatus status = file_read_at(&reading->shard->file, LENGTH_BYTES, text, length, fault);
  if (status == ATTEND_OK && text[0] != '{') {
    status = fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                       "the header does not begin with \"{\"; a safetensors file is expected");
  }
  if (status == ATTEND_OK) status = json_parse_object("the header", text, length, header, fault);
  free(text);
  return status;
}

/* Reads the header's length. The header must end inside the file. */
static AttendStatus read_length(const OpenFile *file, size_t *length, Fault *fault) {
  unsigned char bytes[LENGTH_BYTES];
  uint64_t stated = 0;
  if (file->bytes < sizeof bytes) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "the file has %zu bytes; a safetensors file has at least 10", file->bytes);
  }
  if (file_read_at(file, 0, bytes, sizeof bytes, fault)) return fault->status;
  for (size_t i = 0; i < sizeof bytes; i++) stated |= (uint64_t)bytes[i] << 8 * i;
  const size_t room = size_min(file->bytes - sizeof bytes, TENSOR_HEADER_LIMIT);
  if (stated < 2 || stated > room) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "the header would have %llu bytes; 2 to %zu are expected in this file, if "
                     "it is one of safetensors",
                     (unsigned long long)stated, size_max(room, 2));
  }
  *length = (size_t)stated;
  return ATTEND_OK;
}

static AttendStatus map_file(Shard *shard, Fault *fault) {
  void *const map =
      mmap(NULL, shard->file.bytes, PROT_READ, MAP_PRIVATE, shard->file.descriptor, 0);
  if (map == MAP_FAILED) {
    return fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be mapped: %m");
  }
  shard->map = map;
  return ATTEND_OK;
}

/* Opens the file and appends it to the handle's shards. */
static AttendStatus open_shard(const char *path, AttendTensorFile *file, Fault *fault) {
  OpenFile opened = {-1, 0};
  Shard *const shards = realloc(file->shards, (file->shard_count + 1) * sizeof *shards);
  if (shards != NULL) file->shards = shards;
  char *const own_path = shards == NULL ? NULL : file_text("%s", path);
  if (own_path == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "its path could not be allocated");
  }
  if (file_open(path, &opened, fault)) {
    free(own_path);
    return fault->status;
  }
  file->shards[file->shard_count++] = (Shard){.path = own_path, .file = opened};
  return ATTEND_OK;
}

AttendStatus tensors_add_shard(const char *path, AttendTensorFile *file, Fault *fault) {
  if (open_shard(path, file, fault)) return fault->status;

  Reading reading = {.fault = fault,
                     .shard = &file->shards[file->shard_count - 1],
                     .shard_index = file->shard_count - 1};
  size_t length = 0;
  json_t *header = NULL;
  AttendStatus status = read_length(&reading.shard->file, &length, fault);
  if (status == ATTEND_OK) status = map_file(reading.shard, fault);
  if (status == ATTEND_OK) status = read_header(&reading, length, &header);
  if (status != ATTEND_OK) return status;
  reading.shard->first = LENGTH_BYTES + length;
  reading.data_bytes = reading.shard->file.bytes - reading.shard->first;
  status = read_entries(&reading, header, file);
  json_decref(header);
  return status;
}
