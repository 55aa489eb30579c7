/* safetensors_write.c - writes the caller's tensors to one safetensors file.
 *
 * Tensors with the widest elements go first, behind a header padded to 8 bytes. Each tensor is then
 * aligned to its own elements; the format's own writer does the same. Refuses to write anything
 * that the reader would refuse.
 */
#include <stdlib.h>

#include "io/safetensors/tensor_parts.h"
#include "platform/output_file.h"
#include "size.h"

static AttendStatus check_tensor(const AttendTensor *tensor, Fault *fault) {
  if (tensor->name == NULL || tensor->dtype == NULL ||
      (tensor->data == NULL && tensor->bytes > 0)) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER,
                     "name, dtype or data of a tensor is null; a pointer is expected");
  }
  if (tensor->rank > ATTEND_TENSOR_RANK) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "tensor \"%.*s\" has %zu dimensions; at most %d are written",
                     FILE_SHOWN(tensor->name), tensor->rank, ATTEND_TENSOR_RANK);
  }
  const size_t bits = tensor_type_bits(tensor->dtype);
  if (bits == 0 || strcmp(tensor->name, TENSOR_METADATA) == 0) {
    return fault_set(fault, ATTEND_STATUS_BAD_OPTION, "tensor \"%.*s\" of dtype \"%.*s\": %s",
                     FILE_SHOWN(tensor->name), FILE_SHOWN(tensor->dtype),
                     bits == 0 ? "the format has no such dtype" : "the name is reserved");
  }
  size_t bytes = 0;
  if (!tensor_count_bytes(tensor->dims, tensor->rank, bits, &bytes)) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "tensor \"%.*s\" has dimensions that make no number of bytes that can be "
                     "addressed",
                     FILE_SHOWN(tensor->name));
  }
  if (bytes != tensor->bytes) {
    return fault_set(fault, ATTEND_STATUS_SHAPE_MISMATCH,
                     "tensor \"%.*s\" has %zu bytes; its dtype and dimensions make %zu",
                     FILE_SHOWN(tensor->name), tensor->bytes, bytes);
  }
  return ATTEND_OK;
}

/* {"dtype": .., "shape": [..], "data_offsets": [begin, end]}; null if memory is short. */
static json_t *describe(const AttendTensor *tensor, size_t begin) {
  json_t *const shape = json_array();
  for (size_t i = 0; i < tensor->rank; i++) {
    if (json_array_append_new(shape, json_integer((json_int_t)tensor->dims[i])) != 0) {
      json_decref(shape);
      return NULL;
    }
  }
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor->dtype, "shape", shape, "data_offsets",
                   (json_int_t)begin, (json_int_t)(begin + tensor->bytes));
}

static AttendStatus refuse_memory(Fault *fault) {
  return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "the header could not be allocated");
}

/* JSON holds UTF-8 only. jansson answers other bytes and a lack of memory alike. We tell them apart
 * by a second call that does not check the bytes: if that one fails too, memory is short. */
static AttendStatus check_text(const char *what, const char *text, Fault *fault) {
  json_t *const checked = json_string(text), *const unchecked = json_string_nocheck(text);
  AttendStatus status = ATTEND_OK;
  if (unchecked == NULL) {
    status = refuse_memory(fault);
  } else if (checked == NULL) {
    status = fault_set(fault, ATTEND_STATUS_BAD_OPTION, "the %s \"%.*s\" is not UTF-8", what,
                       FILE_SHOWN(text));
  }
  json_decref(checked);
  json_decref(unchecked);
  return status;
}

/* Adds a value under a key that must be new. Takes over the value. */
static AttendStatus add_member(const char *what, json_t *object, const char *key, json_t *value,
                               Fault *fault) {
  AttendStatus status = check_text(what, key, fault);
  if (status == ATTEND_OK && json_object_get(object, key) != NULL) {
    status = fault_set(fault, ATTEND_STATUS_BAD_OPTION, "the %s \"%.*s\" is given twice", what,
                       FILE_SHOWN(key));
  }
  if (status != ATTEND_OK) {
    json_decref(value);
    return status;
  }
  return json_object_set_new(object, key, value) == 0 ? ATTEND_OK : refuse_memory(fault);
}

static AttendStatus add_metadata(const AttendMetadata *metadata, size_t count, json_t *header,
                                 Fault *fault) {
  json_t *const lines = json_object();
  AttendStatus status = add_member("metadata", header, TENSOR_METADATA, lines, fault);
  for (size_t i = 0; i < count && status == ATTEND_OK; i++) {
    const char *const key = metadata[i].key, *const value = metadata[i].value;
    if (key == NULL || value == NULL) {
      return fault_set(fault, ATTEND_STATUS_NULL_POINTER,
                       "key or value of metadata is null; a pointer is expected");
    }
    status = check_text("metadata", value, fault);
    if (status == ATTEND_OK) {
      status = add_member("metadata key", lines, key, json_string(value), fault);
    }
  }
  return status;
}

/* The next tensor in the order of the file, by its bits and then by its index; false at the end. */
static bool next_tensor(const AttendTensor *tensors, size_t count, size_t *bits, size_t *index) {
  for (; *bits > 0; --*bits, *index = 0) {
    for (; *index < count; ++*index) {
      if (tensor_type_bits(tensors[*index].dtype) == *bits) return true;
    }
  }
  return false;
}

#define WIDEST_BITS 64

static AttendStatus add_tensors(const AttendTensor *tensors, size_t count, json_t *header,
                                Fault *fault) {
  bool overflow = false;
  size_t begin = 0;
  for (size_t bits = WIDEST_BITS, i = 0; next_tensor(tensors, count, &bits, &i); i++) {
    const AttendStatus status = add_member("name of a tensor", header, tensors[i].name,
                                           describe(&tensors[i], begin), fault);
    if (status != ATTEND_OK) return status;
    begin = size_add(begin, tensors[i].bytes, &overflow);
    if (overflow) {
      return fault_set(fault, ATTEND_STATUS_OVERFLOW, "the tensors have more than %zu bytes",
                       SIZE_LIMIT);
    }
  }
  return ATTEND_OK;
}

/* The header as text in our own memory; null if memory is short. If jansson allocated it, we would
 * have to free it by the function that the host has given to jansson. */
static char *write_text(const json_t *header) {
  const size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
  char *const text = length == 0 ? NULL : malloc(length + 1);
  if (text == NULL || json_dumpb(header, text, length, JSON_COMPACT) != length) {
    free(text);
    return NULL;
  }
  text[length] = '\0';
  return text;
}

static void write_length(size_t length, OutputFile *file) {
  unsigned char bytes[8];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
  output_file_write(file, bytes, sizeof bytes);
}

static AttendStatus write_file(const char *path, const AttendTensor *tensors, size_t count,
                               const char *header, Fault *fault) {
  OutputFile file;
  if (!output_file_open(&file, path)) return file_unwritable(fault);
  const size_t length = strlen(header), padded = size_round_up(length, 8);
  write_length(padded, &file);
  output_file_write(&file, header, length);
  output_file_write(&file, "       ", padded - length);
  for (size_t bits = WIDEST_BITS, i = 0; next_tensor(tensors, count, &bits, &i); i++) {
    output_file_write(&file, tensors[i].data, tensors[i].bytes);
  }
  return output_file_commit(&file) ? ATTEND_OK : file_unwritable(fault);
}

static AttendStatus write_tensors(const char *path, const AttendTensor *tensors, size_t count,
                                  const AttendMetadata *metadata, size_t metadata_count,
                                  Fault *fault) {
  if (path == NULL || (tensors == NULL && count > 0) || (metadata == NULL && metadata_count > 0)) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     path == NULL                   ? "the path"
                     : tensors == NULL && count > 0 ? "the tensors"
                                                    : "the metadata");
  }
  for (size_t i = 0; i < count; i++) {
    if (check_tensor(&tensors[i], fault)) return fault->status;
  }

  json_t *const header = json_object();
  AttendStatus status = ATTEND_OK;
  if (metadata_count > 0) status = add_metadata(metadata, metadata_count, header, fault);
  if (status == ATTEND_OK) status = add_tensors(tensors, count, header, fault);
  char *const text = status == ATTEND_OK ? write_text(header) : NULL;
  json_decref(header);
  if (status != ATTEND_OK) return status;
  if (text == NULL) return refuse_memory(fault);
  status = write_file(path, tensors, count, text, fault);
  free(text);
  return status;
}

AttendStatus attend_write_safetensors(const char *path, const AttendTensor *tensors, size_t count,
                                      const AttendMetadata *metadata, size_t metadata_count,
                                      char *error, size_t error_size) {
  Fault fault = {.place = path != NULL ? path : "the safetensors file"};
  write_tensors(path, tensors, count, metadata, metadata_count, &fault);
  return fault_tell(&fault, error, error_size);
}
