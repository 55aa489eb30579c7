/* layer_tensors.c - finds an attention layer's tensors by the names that Hugging Face gives them.
 *
 * Owns the names. The model decides which tensors there must be and of what shape. The file decides
 * only which spelling it uses: the first one that any of its tensors has. Refuses tensors that the
 * model does not ask for, because a bias or a norm that we ignored would change every result and
 * nobody would notice.
 */
#include "io/layer/layer_tensors.h"

#include <stdio.h>

#include "io/safetensors/tensor_parts.h"
#include "problem/shape.h"
#include "size.h"

#define NAME_SIZE 128

/* A tensor that a layer must have. */
typedef struct Wanted {
  LayerRole role;
  const char *suffix;
  size_t rank, dims[2];
} Wanted;

typedef struct WantedList {
  size_t count;
  Wanted items[LAYER_ROLES];
} WantedList;

static void want(WantedList *list, bool wanted, LayerRole role, const char *suffix, size_t rows,
                 size_t columns) {
  if (!wanted) return;
  list->items[list->count++] =
      (Wanted){role, suffix, columns > 0 ? 2 : 1, {rows, columns > 0 ? columns : 0}};
}

/* q_proj and its siblings, [out, in]. */
static void want_separate(const AttendModel *model, const LayerColumns *c, WantedList *list) {
  const size_t E = model->shape.width, D = model->shape.head_dim;
  want(list, true, LAYER_QUERY, "q_proj.weight", c->query, E);
  want(list, true, LAYER_KEY, "k_proj.weight", c->key, E);
  want(list, true, LAYER_VALUE, "v_proj.weight", c->value, E);
  want(list, true, LAYER_OUTPUT, "o_proj.weight", E, c->context);
  want(list, model->qkv_bias, LAYER_QUERY_BIAS, "q_proj.bias", c->query, 0);
  want(list, model->qkv_bias, LAYER_KEY_BIAS, "k_proj.bias", c->key, 0);
  want(list, model->qkv_bias, LAYER_VALUE_BIAS, "v_proj.bias", c->value, 0);
  want(list, model->output_bias, LAYER_OUTPUT_BIAS, "o_proj.bias", E, 0);
  want(list, model->qk_norm, LAYER_QUERY_NORM, "q_norm.weight", D, 0);
  want(list, model->qk_norm, LAYER_KEY_NORM, "k_norm.weight", D, 0);
  want(list, model->sinks, LAYER_SINKS, "sinks", model->shape.query_heads, 0);
}

/* GPT-2's Conv1D, [in, out]. */
static void want_fused(const AttendModel *model, const LayerColumns *c, WantedList *list) {
  const size_t E = model->shape.width;
  want(list, true, LAYER_QKV, "c_attn.weight", E, c->qkv);
  want(list, true, LAYER_OUTPUT, "c_proj.weight", c->context, E);
  want(list, model->qkv_bias, LAYER_QKV_BIAS, "c_attn.bias", c->qkv, 0);
  want(list, model->output_bias, LAYER_OUTPUT_BIAS, "c_proj.bias", E, 0);
}

/* A way to spell a layer's tensors. */
typedef struct Spelling {
  const char *before, *after; /* of the layer's number */
  AttendOrientation orientation;
  bool fused;
  const char *passed_over[2]; /* buffers that are not weights */
} Spelling;

static const Spelling spellings[] = {
    {"model.layers.", ".self_attn.", ATTEND_OUT_IN, false, {"rotary_emb.inv_freq"}},
    {"layers.", ".self_attn.", ATTEND_OUT_IN, false, {"rotary_emb.inv_freq"}},
    {"transformer.h.", ".attn.", ATTEND_IN_OUT, true, {"bias", "masked_bias"}},
    {"h.", ".attn.", ATTEND_IN_OUT, true, {"bias", "masked_bias"}},
};
#define SPELLINGS (sizeof spellings / sizeof *spellings)

static void write_prefix(const Spelling *spelling, size_t layer, char text[static NAME_SIZE]) {
  snprintf(text, NAME_SIZE, "%s%zu%s", spelling->before, layer, spelling->after);
}

static bool begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The index of the first tensor whose name does not sort before the prefix. Names that begin with
 * the prefix follow from there. */
static size_t first_at(const AttendTensorFile *file, const char *prefix) {
  size_t low = 0, high = file->entry_count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (strcmp(file->entries[middle].tensor.name, prefix) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* The first spelling in which the file has any tensor of this layer. If there is none we take the
 * usual one, and its first tensor is then reported as missing. */
static const Spelling *find_spelling(const AttendTensorFile *file, size_t layer) {
  for (size_t i = 0; i < SPELLINGS; i++) {
    char prefix[NAME_SIZE];
    write_prefix(&spellings[i], layer, prefix);
    const size_t first = first_at(file, prefix);
    if (first < file->entry_count && begins_with(file->entries[first].tensor.name, prefix)) {
      return &spellings[i];
    }
  }
  return &spellings[0];
}

static AttendStatus refuse_missing(const char *name, const Wanted *wanted, Fault *fault) {
  char shape[64];
  tensor_write_shape(wanted->dims, wanted->rank, shape, sizeof shape);
  return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                   "tensor \"%s\" is missing; one of shape %s is expected", name, shape);
}

static AttendStatus check_tensor(const AttendTensor *tensor, const Wanted *wanted, Fault *fault) {
  NumberKind kind;
  if (tensor->rank != wanted->rank ||
      memcmp(tensor->dims, wanted->dims, wanted->rank * sizeof *wanted->dims) != 0) {
    char expected[64], found[160];
    tensor_write_shape(wanted->dims, wanted->rank, expected, sizeof expected);
    tensor_write_shape(tensor->dims, tensor->rank, found, sizeof found);
    return fault_set(fault, ATTEND_STATUS_SHAPE_MISMATCH,
                     "tensor \"%s\" has shape %s; %s is expected", tensor->name, found, expected);
  }
  if (!tensor_type_floats(tensor->dtype, &kind)) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "tensor \"%s\" is of dtype %.*s; F32, F16 or BF16 is expected", tensor->name,
                     FILE_SHOWN(tensor->dtype));
  }
  return ATTEND_OK;
}

static bool is_expected(const Spelling *spelling, const WantedList *list, const char *suffix) {
  for (size_t i = 0; i < list->count; i++) {
    if (strcmp(suffix, list->items[i].suffix) == 0) return true;
  }
  for (size_t i = 0; i < 2 && spelling->passed_over[i] != NULL; i++) {
    if (strcmp(suffix, spelling->passed_over[i]) == 0) return true;
  }
  return false;
}

static AttendStatus refuse_extra(const AttendTensorFile *file, const Spelling *spelling,
                                 const WantedList *list, const char *prefix, Fault *fault) {
  for (size_t i = first_at(file, prefix); i < file->entry_count; i++) {
    const AttendTensor *const tensor = &file->entries[i].tensor;
    if (!begins_with(tensor->name, prefix)) break;
    if (is_expected(spelling, list, tensor->name + strlen(prefix))) continue;
    char shape[160];
    fault->place = tensor->path;
    tensor_write_shape(tensor->dims, tensor->rank, shape, sizeof shape);
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "tensor \"%.*s\" of shape %s is not part of this model's attention; none "
                     "of that name is expected",
                     FILE_SHOWN(tensor->name), shape);
  }
  return ATTEND_OK;
}

static AttendStatus find_all(const AttendTensorFile *file, const WantedList *list,
                             const char *prefix, LayerTensors *tensors, Fault *fault) {
  for (size_t i = 0; i < list->count; i++) {
    const Wanted *const wanted = &list->items[i];
    char name[2 * NAME_SIZE];
    snprintf(name, sizeof name, "%s%s", prefix, wanted->suffix);
    const AttendTensor *const tensor = attend_find_tensor(file, name);
    if (tensor == NULL) return refuse_missing(name, wanted, fault);
    fault->place = tensor->path;
    if (check_tensor(tensor, wanted, fault)) return fault->status;
    fault->place = file->path;
    tensors->roles[wanted->role] = tensor;
    tensors->counts[wanted->role] = wanted->dims[0] * (wanted->rank == 2 ? wanted->dims[1] : 1);
  }
  return ATTEND_OK;
}

static AttendStatus check_model(const AttendModel *model, size_t layer, LayerColumns *columns,
                                Fault *fault) {
  Fault reason = {0};
  if (layer >= model->layers) {
    return fault_set(fault, ATTEND_STATUS_BAD_SIZE,
                     "layer %zu is asked for; the model %s has %zu, counted from 0", layer,
                     model->name, model->layers);
  }
  if (shape_check_layer(&model->shape, columns, &reason) != ATTEND_OK) {
    return fault_set(fault, reason.status, "the model's shape is not one of a layer: %s",
                     reason.text);
  }
  return ATTEND_OK;
}

AttendStatus layer_find_tensors(const AttendTensorFile *file, const AttendModel *model,
                                size_t layer, LayerTensors *tensors, Fault *fault) {
  if (file == NULL || model == NULL) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     file == NULL ? "the handle" : "the model");
  }
  LayerColumns columns = {0};
  if (check_model(model, layer, &columns, fault)) return fault->status;

  const Spelling *const spelling = find_spelling(file, layer);
  if (spelling->fused && model->rope.pairing != ATTEND_ROPE_NONE) {
    return fault_set(fault, ATTEND_STATUS_FILE_INVALID,
                     "layer %zu has the tensor names of GPT-2, which has no RoPE; the model %s "
                     "has it",
                     layer, model->name);
  }
  char prefix[NAME_SIZE];
  WantedList list = {0};
  write_prefix(spelling, layer, prefix);
  if (spelling->fused) {
    want_fused(model, &columns, &list);
  } else {
    want_separate(model, &columns, &list);
  }
  *tensors = (LayerTensors){.orientation = spelling->orientation};
  if (find_all(file, &list, prefix, tensors, fault)) return fault->status;
  return refuse_extra(file, spelling, &list, prefix, fault);
}

AttendStatus attend_check_layer(const AttendTensorFile *file, const AttendModel *model,
                                size_t layer, size_t *bytes, char *error, size_t error_size) {
  Fault fault = {.place = file != NULL ? file->path : "the tensors"};
  LayerTensors tensors;
  if (!layer_find_tensors(file, model, layer, &tensors, &fault) && bytes != NULL) {
    *bytes = 0;
    for (size_t i = 0; i < LAYER_ROLES; i++) *bytes += tensors.counts[i] * sizeof(float);
  }
  return fault_tell(&fault, error, error_size);
}
