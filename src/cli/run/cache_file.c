/* cache_file.c - loads and saves a cache as safetensors.
 *
 * Owns the names and the layout in the file. A file whose shapes are not those of the layer and the
 * batch is refused before anything of it is read.
 */
#include "cli/run/cache_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT "attend-kv-cache"

/* Keys and values as they stand in the file. */
typedef struct CacheRows {
  size_t sequences, tokens;
  float *keys, *values;
} CacheRows;

static void free_rows(CacheRows *rows) {
  free(rows->keys);
  free(rows->values);
}

static AttendStatus refuse_memory(const char *path, char *error) {
  snprintf(error, ATTEND_FILE_ERROR_SIZE, "%s: memory for keys and values is missing", path);
  return ATTEND_STATUS_OUT_OF_MEMORY;
}

/* Room for rows->sequences * rows->tokens rows of Hk heads. False also if they cannot be
 * counted. */
static bool new_rows(const AttendLayerShape *shape, CacheRows *rows) {
  size_t count, keys, values;
  if (__builtin_mul_overflow(rows->sequences, rows->tokens, &count) ||
      __builtin_mul_overflow(count, shape->kv_heads * sizeof(float), &count) ||
      __builtin_mul_overflow(count, shape->head_dim, &keys) ||
      __builtin_mul_overflow(count, shape->value_dim, &values)) {
    return false;
  }
  rows->keys = malloc(keys > 0 ? keys : 1);
  rows->values = malloc(values > 0 ? values : 1);
  return rows->keys != NULL && rows->values != NULL;
}

/* The tensor, if it is [sequences, tokens, Hk, dim] for any number of tokens. */
static AttendStatus find_rows(const AttendTensorFile *file, const char *path, const char *name,
                              size_t sequences, size_t kv_heads, size_t dim, size_t *tokens,
                              char *error) {
  const AttendTensor *const tensor = attend_find_tensor(file, name);
  if (tensor != NULL && tensor->rank == 4 && tensor->dims[0] == sequences &&
      tensor->dims[2] == kv_heads && tensor->dims[3] == dim) {
    *tokens = tensor->dims[1];
    return ATTEND_OK;
  }
  char found[128] = "missing";
  size_t used = 0;
  for (size_t i = 0; tensor != NULL && i < tensor->rank && used < sizeof found; i++) {
    used += (size_t)snprintf(found + used, sizeof found - used, "%s%zu", i > 0 ? ", " : "of shape ",
                             tensor->dims[i]);
  }
  snprintf(error, ATTEND_FILE_ERROR_SIZE,
           "%s: tensor \"%s\" is %s; the shape %zu, tokens, %zu, %zu is expected", path, name,
           found, sequences, kv_heads, dim);
  return ATTEND_STATUS_SHAPE_MISMATCH;
}

static AttendStatus read_rows(const AttendTensorFile *file, const char *path,
                              const AttendLayerShape *shape, CacheRows *rows, char *error) {
  const size_t kv_heads = shape->kv_heads;
  size_t value_tokens = 0;
  AttendStatus status = find_rows(file, path, "keys", rows->sequences, kv_heads, shape->head_dim,
                                  &rows->tokens, error);
  if (status == ATTEND_OK) {
    status = find_rows(file, path, "values", rows->sequences, kv_heads, shape->value_dim,
                       &value_tokens, error);
  }
  if (status != ATTEND_OK) return status;
  if (value_tokens != rows->tokens) {
    snprintf(error, ATTEND_FILE_ERROR_SIZE, "%s: there are keys of %zu tokens and values of %zu",
             path, rows->tokens, value_tokens);
    return ATTEND_STATUS_SHAPE_MISMATCH;
  }
  if (!new_rows(shape, rows)) return refuse_memory(path, error);
  const size_t count = rows->sequences * rows->tokens * kv_heads;
  status = attend_read_tensor(file, "keys", rows->keys, count * shape->head_dim, error,
                              ATTEND_FILE_ERROR_SIZE);
  if (status != ATTEND_OK) return status;
  return attend_read_tensor(file, "values", rows->values, count * shape->value_dim, error,
                            ATTEND_FILE_ERROR_SIZE);
}

/* Reads the file if there is one; else there are no rows. */
static AttendStatus read_file(const char *path, const AttendLayerShape *shape, CacheRows *rows,
                              char *error) {
  struct stat facts;
  AttendTensorFile *file = NULL;
  if (stat(path, &facts) != 0 && errno == ENOENT) return ATTEND_OK;
  AttendStatus status = attend_open_tensors(path, &file, error, ATTEND_FILE_ERROR_SIZE);
  if (status == ATTEND_OK) status = read_rows(file, path, shape, rows, error);
  attend_close_tensors(&file);
  return status;
}

static AttendStatus fill_cache(AttendContext *context, const AttendLayerShape *shape,
                               const CacheRows *rows, AttendCache *cache) {
  const size_t key_row = shape->kv_heads * shape->head_dim;
  const size_t value_row = shape->kv_heads * shape->value_dim;
  for (size_t i = 0; i < rows->sequences && rows->tokens > 0; i++) {
    const AttendView key = attend_view_bnhd(rows->keys + i * rows->tokens * key_row, rows->tokens,
                                            shape->kv_heads, shape->head_dim);
    const AttendView value = attend_view_bnhd(rows->values + i * rows->tokens * value_row,
                                              rows->tokens, shape->kv_heads, shape->value_dim);
    const AttendStatus status = attend_append_cache(context, cache, i, rows->tokens, key, value);
    if (status != ATTEND_OK) return status;
  }
  return ATTEND_OK;
}

AttendStatus cache_file_load(AttendContext *context, const char *path,
                             const AttendLayerShape *shape, size_t sequences, size_t more,
                             AttendStorage storage, AttendCache **cache, char *error) {
  CacheRows rows = {.sequences = sequences};
  AttendCacheSettings settings;
  attend_default_cache_settings(&settings);
  settings.sequences = sequences;
  settings.storage = storage;
  AttendStatus status = read_file(path, shape, &rows, error);
  if (status == ATTEND_OK) {
    settings.capacity = rows.tokens + more;
    status = attend_open_cache(context, shape, &settings, cache);
    if (status == ATTEND_OK) status = fill_cache(context, shape, &rows, *cache);
    if (status != ATTEND_OK) {
      snprintf(error, ATTEND_FILE_ERROR_SIZE, "%s", attend_get_error(context));
      attend_close_cache(cache);
    }
  }
  free_rows(&rows);
  return status;
}

static AttendStatus copy_out(AttendContext *context, const AttendLayerShape *shape,
                             const AttendCache *cache, const CacheRows *rows) {
  const size_t key_row = shape->kv_heads * shape->head_dim;
  const size_t value_row = shape->kv_heads * shape->value_dim;
  for (size_t i = 0; i < rows->sequences; i++) {
    const AttendOutputView key = attend_output_bnhd(rows->keys + i * rows->tokens * key_row,
                                                    rows->tokens, shape->kv_heads, shape->head_dim);
    const AttendOutputView value =
        attend_output_bnhd(rows->values + i * rows->tokens * value_row, rows->tokens,
                           shape->kv_heads, shape->value_dim);
    const AttendStatus status = attend_read_cache(context, cache, i, 0, rows->tokens, key, value);
    if (status != ATTEND_OK) return status;
  }
  return ATTEND_OK;
}

AttendStatus cache_file_save(AttendContext *context, const char *path,
                             const AttendLayerShape *shape, size_t sequences,
                             const AttendCache *cache, char *error) {
  CacheRows rows = {.sequences = sequences, .tokens = attend_cache_length(cache, 0)};
  const size_t key_dims[] = {sequences, rows.tokens, shape->kv_heads, shape->head_dim};
  const size_t value_dims[] = {sequences, rows.tokens, shape->kv_heads, shape->value_dim};
  const AttendMetadata metadata[] = {{"format", FORMAT}, {"version", "1"}};
  AttendStatus status = ATTEND_OK;
  if (!new_rows(shape, &rows)) {
    status = refuse_memory(path, error);
  } else if ((status = copy_out(context, shape, cache, &rows)) != ATTEND_OK) {
    snprintf(error, ATTEND_FILE_ERROR_SIZE, "%s", attend_get_error(context));
  } else {
    const AttendTensor tensors[] = {attend_float_tensor("keys", rows.keys, key_dims, 4),
                                    attend_float_tensor("values", rows.values, value_dims, 4)};
    status = attend_write_safetensors(path, tensors, 2, metadata, 2, error, ATTEND_FILE_ERROR_SIZE);
  }
  free_rows(&rows);
  return status;
}
