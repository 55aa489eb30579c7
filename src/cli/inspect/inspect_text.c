/* inspect_text.c - the findings of `attend inspect` as aligned text, for people.
 *
 * Owns layout only. Names come from files, so characters that would steer a terminal are printed as
 * question marks.
 */
#include <stdio.h>
#include <string.h>

#include "cli/inspect/inspection.h"
#include "cli/util/utf8.h"

#define NAME_COLUMNS_MAX 64

static void print_clean(const char *text) {
  while (*text != '\0') {
    const size_t control = utf8_control_bytes(text);
    putchar(control > 0 ? '?' : *text);
    text += control > 0 ? control : 1;
  }
}

/* "123 B", "12.3 KiB", "1.25 GiB" */
static void write_bytes(size_t bytes, char *text, size_t size) {
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes / 1024;
  size_t unit = 0;
  if (bytes < 1024) {
    snprintf(text, size, "%zu B", bytes);
    return;
  }
  while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
    value /= 1024;
    unit++;
  }
  snprintf(text, size, "%.*f %s", value < 10 ? 2 : 1, value, units[unit]);
}

static void write_shape(const size_t *dims, size_t rank, char *text, size_t size) {
  size_t used = (size_t)snprintf(text, size, "[");
  for (size_t i = 0; i < rank && used < size; i++) {
    used += (size_t)snprintf(text + used, size - used, i > 0 ? ", %zu" : "%zu", dims[i]);
  }
  if (used < size) snprintf(text + used, size - used, "]");
}

static void print_array(const Inspection *inspection) {
  const AttendArray *const array = &inspection->array;
  const ArrayFinding *const numbers = &inspection->numbers;
  char shape[128];
  write_shape(array->dims, array->rank, shape, sizeof shape);
  print_clean(inspection->path);
  printf(": %s %s\n  numbers   %zu", array->dtype, shape, numbers->count);
  if (numbers->nans + numbers->infinities > 0) {
    printf(", of them %zu NaN and %zu infinite", numbers->nans, numbers->infinities);
  }
  if (numbers->count > numbers->nans + numbers->infinities) {
    printf("\n  range     %g to %g", (double)numbers->least, (double)numbers->greatest);
  }
  putchar('\n');
}

static void print_tensors(const Inspection *inspection) {
  const size_t count = attend_tensor_count(inspection->file);
  size_t width = strlen("tensor");
  for (size_t i = 0; i < count; i++) {
    const size_t length = strnlen(inspection->tensors[i]->name, NAME_COLUMNS_MAX);
    if (length > width) width = length;
  }
  if (count == 0) return;
  printf("\n  tensor%*s  dtype     shape                   bytes\n", (int)width - 6, "");
  for (size_t i = 0; i < count; i++) {
    const AttendTensor *const tensor = inspection->tensors[i];
    const size_t length = strlen(tensor->name);
    char shape[192];
    write_shape(tensor->dims, tensor->rank, shape, sizeof shape);
    fputs("  ", stdout);
    print_clean(tensor->name);
    printf("%*s  ", length < width ? (int)(width - length) : 0, "");
    print_clean(tensor->dtype);
    printf("%*s  %-18s %10zu\n", strlen(tensor->dtype) < 8 ? (int)(8 - strlen(tensor->dtype)) : 0,
           "", shape, tensor->bytes);
  }
}

/* Runs of usable layers as "0 to 3, 5"; returns how many there are. */
static size_t print_usable(const Inspection *inspection) {
  const size_t count = inspection->model.layers;
  size_t usable = 0;
  for (size_t i = 0; i < count; i++) {
    if (!inspection->layers[i].usable) continue;
    const size_t first = i;
    while (i + 1 < count && inspection->layers[i + 1].usable) i++;
    printf(usable > 0 ? ", %zu" : "%zu", first);
    if (i > first) printf(" to %zu", i);
    usable += i - first + 1;
  }
  if (usable == 0) fputs("none", stdout);
  return usable;
}

/* The reason of the first layer of each run of layers that cannot be used. */
static void print_reasons(const Inspection *inspection) {
  for (size_t i = 0; i < inspection->model.layers; i++) {
    if (inspection->layers[i].usable || (i > 0 && !inspection->layers[i - 1].usable)) continue;
    printf("  layer %-4zu ", i);
    print_clean(inspection->layers[i].reason);
    putchar('\n');
  }
}

/* What the usable layers take, by how their weights and caches are stored. */
static void print_storages(const Inspection *inspection) {
  printf("  %-9s  %11s %11s  %s\n", "stored in", "a layer", "in all", "a token's keys and values");
  for (AttendStorage storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
    char each[32], total[32], token[32];
    size_t bytes = 0, largest = 0;
    for (size_t i = 0; i < inspection->model.layers; i++) {
      const size_t layer = inspection_layer_bytes(inspection, i, storage);
      bytes += layer;
      if (layer > largest) largest = layer;
    }
    write_bytes(largest, each, sizeof each);
    write_bytes(bytes, total, sizeof total);
    write_bytes(inspection_token_bytes(inspection, storage), token, sizeof token);
    printf("  %-9s  %11s %11s  %s\n", attend_storage_name(storage), each, total, token);
  }
}

static void print_layers(const Inspection *inspection) {
  const AttendModel *const model = &inspection->model;
  const AttendLayerShape *const shape = &model->shape;
  fputs("\n  model      ", stdout);
  print_clean(model->name);
  printf(": %zu layers, E %zu, Hq %zu, Hk %zu, D %zu\n  usable     ", model->layers, shape->width,
         shape->query_heads, shape->kv_heads, shape->head_dim);
  const size_t usable = print_usable(inspection);
  putchar('\n');
  if (usable > 0) print_storages(inspection);
  print_reasons(inspection);
}

void inspection_print_text(const Inspection *inspection) {
  if (inspection->is_array) {
    print_array(inspection);
    return;
  }
  char bytes[32];
  const size_t count = attend_tensor_count(inspection->file);
  write_bytes(inspection->bytes, bytes, sizeof bytes);
  print_clean(inspection->path);
  printf(": %zu tensor%s, %s", count, count == 1 ? "" : "s", bytes);
  if (inspection->files > 1) printf(", in %zu files", inspection->files);
  putchar('\n');
  print_tensors(inspection);
  if (inspection->has_model) {
    print_layers(inspection);
    return;
  }
  fputs("\n  model      none: ", stdout);
  print_clean(inspection->model_error);
  putchar('\n');
}
