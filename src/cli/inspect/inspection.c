/* inspection.c - examines a file for `attend inspect`.
 *
 * Owns what is asked of the library and in which order. A file without a model is a finding and no
 * failure: its tensors can be listed all the same.
 */
#include "cli/inspect/inspection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"

static void examine_numbers(const AttendArray *array, ArrayFinding *numbers) {
  bool any = false;
  numbers->count = 1;
  for (size_t i = 0; i < array->rank; i++) numbers->count *= array->dims[i];
  for (size_t i = 0; i < numbers->count; i++) {
    const float x = array->data[i];
    numbers->nans += isnan(x);
    numbers->infinities += isinf(x) != 0;
    if (!isfinite(x)) continue;
    if (!any || x < numbers->least) numbers->least = x;
    if (!any || x > numbers->greatest) numbers->greatest = x;
    any = true;
  }
}

static int open_array(Inspection *inspection) {
  char error[ATTEND_FILE_ERROR_SIZE];
  inspection->is_array = true;
  if (attend_read_npy(inspection->path, &inspection->array, error, sizeof error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  examine_numbers(&inspection->array, &inspection->numbers);
  return EXIT_SUCCESS;
}

static int compare_tensors(const void *a, const void *b) {
  const AttendTensor *const *const one = a, *const *const other = b;
  return strverscmp((*one)->name, (*other)->name);
}

static int compare_paths(const void *a, const void *b) {
  const AttendTensor *const *const one = a, *const *const other = b;
  return strcmp((*one)->path, (*other)->path);
}

static bool list_tensors(Inspection *inspection) {
  const size_t count = attend_tensor_count(inspection->file);
  inspection->tensors = calloc(count + 1, sizeof *inspection->tensors);
  if (inspection->tensors == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    inspection->tensors[i] = attend_tensor_at(inspection->file, i);
    inspection->bytes += inspection->tensors[i]->bytes;
  }
  qsort(inspection->tensors, count, sizeof *inspection->tensors, compare_paths);
  for (size_t i = 0; i < count; i++) {
    inspection->files +=
        i == 0 || strcmp(inspection->tensors[i - 1]->path, inspection->tensors[i]->path) != 0;
  }
  qsort(inspection->tensors, count, sizeof *inspection->tensors, compare_tensors);
  return true;
}

static bool examine_layers(Inspection *inspection) {
  const size_t count = inspection->model.layers;
  inspection->layers = calloc(count, sizeof *inspection->layers);
  if (inspection->layers == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    LayerFinding *const layer = &inspection->layers[i];
    layer->usable = attend_check_layer(inspection->file, &inspection->model, i, &layer->bytes,
                                       layer->reason, sizeof layer->reason) == ATTEND_OK;
  }
  return true;
}

int inspection_open(const char *path, const ModelChoice *choice, Inspection *inspection) {
  char error[ATTEND_FILE_ERROR_SIZE];
  const size_t length = strlen(path);
  *inspection = (Inspection){.path = path};
  if (length >= 4 && strcmp(path + length - 4, ".npy") == 0) return open_array(inspection);

  if (attend_open_tensors(path, &inspection->file, error, sizeof error) != ATTEND_OK) {
    return failure("%s.", error);
  }
  const int status = model_read(choice, path, &inspection->model, inspection->model_error);
  inspection->has_model = status == EXIT_SUCCESS;
  if (!inspection->has_model && model_is_chosen(choice)) {
    return inspection->model_error[0] == '\0' ? status : failure("%s.", inspection->model_error);
  }
  if (!list_tensors(inspection) || (inspection->has_model && !examine_layers(inspection))) {
    return failure("memory for the list of tensors is missing.");
  }
  return EXIT_SUCCESS;
}

/* The matrices are stored as asked for, biases, norms and sinks as floats. */
size_t inspection_layer_bytes(const Inspection *inspection, size_t layer, AttendStorage storage) {
  const AttendLayerShape *const s = &inspection->model.shape;
  const size_t inner = s->query_heads * s->value_dim;
  const size_t columns = (s->query_heads + s->kv_heads) * s->head_dim + s->kv_heads * s->value_dim;
  const size_t numbers = s->width * (columns + inner);
  if (!inspection->layers[layer].usable) return 0;
  const size_t others = inspection->layers[layer].bytes - numbers * sizeof(float);
  return (size_t)((double)numbers * attend_storage_bytes(storage)) + others;
}

size_t inspection_token_bytes(const Inspection *inspection, AttendStorage storage) {
  const AttendLayerShape *const s = &inspection->model.shape;
  const size_t numbers = s->kv_heads * (s->head_dim + s->value_dim);
  return (size_t)((double)numbers * attend_storage_bytes(storage));
}

void inspection_close(Inspection *inspection) {
  attend_free_array(&inspection->array);
  free(inspection->tensors);
  free(inspection->layers);
  attend_close_tensors(&inspection->file);
  *inspection = (Inspection){0};
}
