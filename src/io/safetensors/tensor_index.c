/* tensor_index.c - reads model.safetensors.index.json, which says which file has which tensor.
 *
 * The index decides: a tensor that it names must be in the file that it gives for it, and the
 * handle lists no other tensor. File names must be plain names in the directory of the index, so
 * that an index from a stranger opens nothing elsewhere.
 */
#include <stdlib.h>

#include "io/safetensors/tensor_parts.h"

/* Published models have fewer files, and so many can be open at the same time. */
#define SHARD_LIMIT 512

/* The index that is being read. */
typedef struct Index {
  const char *path;
  size_t directory; /* bytes of path up to its last slash */
  Fault *fault;
} Index;

static bool is_plain_name(const char *name) {
  return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

static bool find_shard(const AttendTensorFile *file, size_t directory, const char *name,
                       size_t *found) {
  for (size_t i = 0; i < file->shard_count; i++) {
    if (strcmp(file->shards[i].path + directory, name) != 0) continue;
    *found = i;
    return true;
  }
  return false;
}

static AttendStatus add_named_shard(const Index *index, AttendTensorFile *file, const char *name) {
  char *const path = file_text("%.*s%s", (int)index->directory, index->path, name);
  if (path == NULL) {
    return fault_set(index->fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "the path of a file could not be allocated");
  }
  index->fault->place = path;
  const AttendStatus status = tensors_add_shard(path, file, index->fault);
  index->fault->place = index->path;
  free(path);
  return status;
}

/* Adds each file once, in the order in which the map first names it. */
static AttendStatus add_shards(const Index *index, json_t *map, AttendTensorFile *file) {
  const char *tensor;
  json_t *value;
  json_object_foreach(map, tensor, value) {
    const char *const name = json_string_value(value);
    size_t shard = 0;
    if (name == NULL || !is_plain_name(name)) {
      char words[JSON_WORDS_SIZE];
      json_describe(value, words, sizeof words);
      return fault_set(index->fault, ATTEND_STATUS_FILE_INVALID,
                       "tensor \"%.*s\": its file is %s; the name of a file beside the index is "
                       "expected",
                       FILE_SHOWN(tensor), words);
    }
    if (find_shard(file, index->directory, name, &shard)) continue;
    if (file->shard_count == SHARD_LIMIT) {
      return fault_set(index->fault, ATTEND_STATUS_FILE_INVALID,
                       "\"weight_map\" names more than %d files", SHARD_LIMIT);
    }
    if (add_named_shard(index, file, name)) return index->fault->status;
  }
  return ATTEND_OK;
}

/* Marks the entry of every tensor in the map. */
static AttendStatus mark_named(const Index *index, json_t *map, AttendTensorFile *file) {
  const char *name;
  json_t *value;
  json_object_foreach(map, name, value) {
    TensorEntry wanted = {.tensor.name = name};
    find_shard(file, index->directory, json_string_value(value), &wanted.shard);
    TensorEntry *const entry =
        file->entry_count == 0
            ? NULL
            : bsearch(&wanted, file->entries, file->entry_count, sizeof wanted, tensors_compare);
    if (entry == NULL) {
      return fault_set(index->fault, ATTEND_STATUS_FILE_INVALID,
                       "tensor \"%.*s\" is said to be in %.*s, which has no such tensor",
                       FILE_SHOWN(name), FILE_SHOWN(json_string_value(value)));
    }
    entry->named = true;
  }
  return ATTEND_OK;
}

static void drop_unnamed(AttendTensorFile *file) {
  size_t kept = 0;
  for (size_t i = 0; i < file->entry_count; i++) {
    const TensorEntry entry = file->entries[i];
    if (entry.named) {
      file->entries[kept++] = entry;
    } else {
      free((char *)entry.tensor.name);
      free((char *)entry.tensor.dtype);
    }
  }
  file->entry_count = kept;
}

static AttendStatus read_map(const Index *index, json_t *map, AttendTensorFile *file) {
  if (!json_is_object(map)) {
    char words[JSON_WORDS_SIZE] = "missing";
    if (map != NULL) json_describe(map, words, sizeof words);
    return fault_set(index->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"weight_map\" is %s; an object of tensors and files is expected",
                     words);
  }
  if (add_shards(index, map, file)) return index->fault->status;
  if (file->entry_count > 0) {
    qsort(file->entries, file->entry_count, sizeof *file->entries, tensors_compare);
  }
  const AttendStatus status = mark_named(index, map, file);
  if (status == ATTEND_OK) drop_unnamed(file);
  return status;
}

AttendStatus tensors_add_index(const char *path, AttendTensorFile *file, Fault *fault) {
  const char *const slash = strrchr(path, '/');
  const Index index = {path, slash == NULL ? 0 : (size_t)(slash - path) + 1, fault};
  json_t *root = NULL;
  if (json_read_file(path, TENSOR_HEADER_LIMIT, "an index of safetensors", &root, fault)) {
    return fault->status;
  }
  const AttendStatus status = read_map(&index, json_object_get(root, "weight_map"), file);
  json_decref(root);
  json_decref(file->metadata);
  file->metadata = NULL;
  return status;
}
