/* tensors.c - opens the tensors at a path, finds them by name and reads them.
 *
 * Entries are sorted by name, so that bisection finds one. Reads go through the file's descriptor
 * and never through the mapping; safetensors.c says why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/safetensors/tensor_parts.h"

int tensors_compare(const void *a, const void *b) {
  const TensorEntry *const one = a, *const other = b;
  const int order = strcmp(one->tensor.name, other->tensor.name);
  return order != 0 ? order : (one->shard > other->shard) - (one->shard < other->shard);
}

/* Adds the directory's model.safetensors or, if there is none, its index. Something of that name
 * that is no file counts too: file_open() then says what it is. */
static AttendStatus add_directory(const char *directory, AttendTensorFile *file, Fault *fault) {
  static const struct {
    const char *name;
    AttendStatus (*add)(const char *path, AttendTensorFile *file, Fault *fault);
  } choices[] = {{"model.safetensors", tensors_add_shard},
                 {"model.safetensors.index.json", tensors_add_index}};
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    char *const path = file_text("%s/%s", directory, choices[i].name);
    struct stat facts;
    if (path == NULL) {
      return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                       "the path of its model could not be allocated");
    }
    AttendStatus status = ATTEND_OK;
    const bool there = lstat(path, &facts) == 0 || errno != ENOENT;
    if (there) {
      fault->place = path;
      status = choices[i].add(path, file, fault);
      fault->place = directory;
    }
    free(path);
    if (there) return status;
  }
  return fault_set(fault, ATTEND_STATUS_FILE_UNREADABLE,
                   "the directory has neither %s nor %s; one of them is expected", choices[0].name,
                   choices[1].name);
}

static bool ends_in(const char *path, const char *end) {
  const size_t length = strlen(path), tail = strlen(end);
  return length >= tail && strcmp(path + length - tail, end) == 0;
}

static AttendStatus add_path(const char *path, AttendTensorFile *file, Fault *fault) {
  struct stat facts;
  if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) return add_directory(path, file, fault);
  return ends_in(path, ".json") ? tensors_add_index(path, file, fault)
                                : tensors_add_shard(path, file, fault);
}

AttendStatus tensors_open(const char *path, AttendTensorFile **file, Fault *fault) {
  if (file != NULL) *file = NULL;
  if (path == NULL || file == NULL) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     path == NULL ? "the path" : "the handle to fill");
  }
  AttendTensorFile *opened = calloc(1, sizeof *opened);
  if (opened != NULL) opened->path = file_text("%s", path);
  if (opened == NULL || opened->path == NULL) {
    attend_close_tensors(&opened);
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated",
                     sizeof *opened);
  }
  if (add_path(path, opened, fault)) {
    attend_close_tensors(&opened);
    return fault->status;
  }
  if (opened->entry_count > 0) {
    qsort(opened->entries, opened->entry_count, sizeof *opened->entries, tensors_compare);
  }
  *file = opened;
  return ATTEND_OK;
}

AttendStatus attend_open_tensors(const char *path, AttendTensorFile **file, char *error,
                                 size_t error_size) {
  Fault fault = {.place = path != NULL ? path : "the tensors"};
  tensors_open(path, file, &fault);
  return fault_tell(&fault, error, error_size);
}

void attend_close_tensors(AttendTensorFile **file) {
  if (file == NULL || *file == NULL) return;
  AttendTensorFile *const closed = *file;
  for (size_t i = 0; i < closed->entry_count; i++) {
    free((char *)closed->entries[i].tensor.name);
    free((char *)closed->entries[i].tensor.dtype);
  }
  for (size_t i = 0; i < closed->shard_count; i++) {
    const Shard *const shard = &closed->shards[i];
    if (shard->map != NULL) munmap(shard->map, shard->file.bytes);
    close(shard->file.descriptor);
    free(shard->path);
  }
  json_decref(closed->metadata);
  free(closed->entries);
  free(closed->shards);
  free(closed->path);
  free(closed);
  *file = NULL;
}

size_t attend_tensor_count(const AttendTensorFile *file) {
  return file == NULL ? 0 : file->entry_count;
}

const AttendTensor *attend_tensor_at(const AttendTensorFile *file, size_t index) {
  return index < attend_tensor_count(file) ? &file->entries[index].tensor : NULL;
}

static int compare_name(const void *name, const void *entry) {
  return strcmp(name, ((const TensorEntry *)entry)->tensor.name);
}

static const TensorEntry *find_entry(const AttendTensorFile *file, const char *name) {
  if (file == NULL || name == NULL || file->entry_count == 0) return NULL;
  return bsearch(name, file->entries, file->entry_count, sizeof *file->entries, compare_name);
}

const AttendTensor *attend_find_tensor(const AttendTensorFile *file, const char *name) {
  const TensorEntry *const entry = find_entry(file, name);
  return entry == NULL ? NULL : &entry->tensor;
}

const char *attend_tensor_metadata(const AttendTensorFile *file, const char *key) {
  if (file == NULL || key == NULL) return NULL;
  return json_string_value(json_object_get(file->metadata, key));
}

/* Finds a tensor whose elements can be read as fp32. Sets fault->place to the file that has it. */
static AttendStatus find_floats(const AttendTensorFile *file, const char *name,
                                const TensorEntry **found, NumberKind *kind, Fault *fault) {
  const TensorEntry *const entry = find_entry(file, name);
  if (entry == NULL) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID, "there is no tensor \"%.*s\"",
                     FILE_SHOWN(name));
  }
  *found = entry;
  fault->place = file->shards[entry->shard].path;
  if (tensor_type_floats(entry->tensor.dtype, kind)) return ATTEND_OK;
  return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                   "tensor \"%.*s\" is of dtype %.*s; F32, F16 or BF16 is expected",
                   FILE_SHOWN(name), FILE_SHOWN(entry->tensor.dtype));
}

static AttendStatus read_floats(const AttendTensorFile *file, const TensorEntry *entry,
                                NumberKind kind, size_t first, size_t count, float *to,
                                Fault *fault) {
  const Shard *const shard = &file->shards[entry->shard];
  const size_t offset = shard->first + entry->begin + first * widen_bytes(kind);
  return file_read_floats(&shard->file, offset, kind, count, to, fault);
}

static AttendStatus read_tensor(const AttendTensorFile *file, const char *name, float *to,
                                size_t count, Fault *fault) {
  const TensorEntry *entry = NULL;
  NumberKind kind = NUMBER_F32;
  if (file == NULL || name == NULL || (to == NULL && count > 0)) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     file == NULL   ? "the handle"
                     : name == NULL ? "the name"
                                    : "the memory to read to");
  }
  if (find_floats(file, name, &entry, &kind, fault)) return fault->status;
  const size_t numbers = entry->tensor.bytes / widen_bytes(kind);
  if (count != numbers) {
    return fault_set(fault, ATTEND_STATUS_SHAPE_MISMATCH,
                     "tensor \"%.*s\" has %zu numbers; room for %zu is given", FILE_SHOWN(name),
                     numbers, count);
  }
  return read_floats(file, entry, kind, 0, count, to, fault);
}

AttendStatus attend_read_tensor(const AttendTensorFile *file, const char *name, float *to,
                                size_t count, char *error, size_t error_size) {
  Fault fault = {.place = file != NULL ? file->path : "the tensors"};
  read_tensor(file, name, to, count, &fault);
  return fault_tell(&fault, error, error_size);
}

AttendStatus tensors_read_part(const AttendTensorFile *file, const char *name, size_t first,
                               size_t count, float *to, Fault *fault) {
  const TensorEntry *entry = NULL;
  NumberKind kind = NUMBER_F32;
  AttendStatus status = find_floats(file, name, &entry, &kind, fault);
  if (status == ATTEND_OK) status = read_floats(file, entry, kind, first, count, to, fault);
  fault->place = file->path;
  return status;
}
