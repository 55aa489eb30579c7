/* inspect_json.c - the findings of `attend inspect` as one JSON object, for programs.
 *
 * Owns the names of its members; INSPECT_SCHEMA_VERSION tells when one changes its meaning.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/inspect/inspection.h"
#include "cli/util/json.h"

static json_t *shape_array(const size_t *dims, size_t rank) {
  json_t *shape = json_array();
  for (size_t i = 0; i < rank; i++) json_append(&shape, json_integer((json_int_t)dims[i]));
  return shape;
}

static json_t *array_object(const Inspection *inspection) {
  const AttendArray *const array = &inspection->array;
  const ArrayFinding *const numbers = &inspection->numbers;
  const bool any = numbers->count > numbers->nans + numbers->infinities;
  return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "dtype", array->dtype, "shape",
                   shape_array(array->dims, array->rank), "count", (json_int_t)numbers->count,
                   "nan", (json_int_t)numbers->nans, "infinite", (json_int_t)numbers->infinities,
                   "least", json_figure_or_null(any, (double)numbers->least), "greatest",
                   json_figure_or_null(any, (double)numbers->greatest));
}

static json_t *tensors_array(const Inspection *inspection) {
  json_t *tensors = json_array();
  for (size_t i = 0; i < attend_tensor_count(inspection->file); i++) {
    const AttendTensor *const tensor = inspection->tensors[i];
    json_append(&tensors,
                json_pack("{s:s, s:s, s:o, s:I, s:o}", "name", tensor->name, "dtype", tensor->dtype,
                          "shape", shape_array(tensor->dims, tensor->rank), "bytes",
                          (json_int_t)tensor->bytes, "file", json_text_or_null(tensor->path)));
  }
  return tensors;
}

static json_t *model_object(const AttendModel *model) {
  const AttendLayerShape *const shape = &model->shape;
  return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "name", json_text_or_null(model->name),
                   "layers", (json_int_t)model->layers, "width", (json_int_t)shape->width,
                   "query_heads", (json_int_t)shape->query_heads, "kv_heads",
                   (json_int_t)shape->kv_heads, "head_dim", (json_int_t)shape->head_dim,
                   "value_dim", (json_int_t)shape->value_dim);
}

/* Bytes by storage; null of a layer that is not usable. */
static json_t *storages_object(const Inspection *inspection, size_t layer) {
  if (!inspection->layers[layer].usable) return json_null();
  json_t *bytes = json_object();
  for (int storage = ATTEND_STORAGE_FP32; storage < ATTEND_STORAGE_COUNT; storage++) {
    const size_t packed = inspection_layer_bytes(inspection, layer, (AttendStorage)storage);
    json_set(&bytes, attend_storage_name((AttendStorage)storage), json_integer((json_int_t)packed));
  }
  return bytes;
}

static json_t *layers_array(const Inspection *inspection) {
  json_t *layers = json_array();
  for (size_t i = 0; inspection->has_model && i < inspection->model.layers; i++) {
    const LayerFinding *const layer = &inspection->layers[i];
    json_append(&layers,
                json_pack("{s:I, s:b, s:o, s:o, s:o}", "layer", (json_int_t)i, "usable",
                          (int)layer->usable, "packed_bytes", json_count_or_null(layer->bytes),
                          "packed_bytes_by_storage", storages_object(inspection, i), "reason",
                          json_text_or_null(layer->reason)));
  }
  return layers;
}

bool inspection_print_json(const Inspection *inspection) {
  json_t *root = json_pack("{s:{s:s, s:i}, s:o}", "schema", "name", "attend-inspect", "version",
                           INSPECT_SCHEMA_VERSION, "path", json_text_or_null(inspection->path));
  if (inspection->is_array) {
    json_set(&root, "array", array_object(inspection));
  } else {
    const AttendModel *const model = inspection->has_model ? &inspection->model : NULL;
    json_set(&root, "bytes", json_integer((json_int_t)inspection->bytes));
    json_set(&root, "tensors", tensors_array(inspection));
    json_set(&root, "model", model != NULL ? model_object(model) : json_null());
    json_set(&root, "model_error", json_text_or_null(inspection->model_error));
    json_set(&root, "layers", layers_array(inspection));
  }
  if (root == NULL) return false;
  /* finish_stdout() reports a write error. */
  const bool encoded = json_dumpf(root, stdout, JSON_INDENT(2)) == 0 || ferror(stdout);
  putchar('\n');
  json_decref(root);
  return encoded;
}
