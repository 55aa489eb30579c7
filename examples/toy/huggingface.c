/* huggingface.c - reading a Hugging Face directory: config.json and safetensors.
 *
 * The library reads the attention layers by itself; here is the rest of the model: embedding,
 * norms, MLP, classifier. It takes only families whose blocks are those of transformer.c: llama,
 * mistral, qwen2, qwen3. Every tensor is found, with the shape that the config gives it,
 * before memory is taken for any.
 */
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <attend/io.h>

#include "toy_model.h"

/* ---- config.json ---- */

static bool read_size(const json_t *config, const char *path, const char *key, size_t *size,
                      Complaint *complaint) {
  const json_t *value = json_object_get(config, key);
  const json_int_t number = json_integer_value(value);
  if (!json_is_integer(value) || number < 1 || number > INT32_MAX)
    return complain(complaint, "%s: \"%s\" is not a whole number from 1 to %d", path, key,
                    INT32_MAX);
  *size = (size_t)number;
  return true;
}

static bool is_supported(const json_t *config, const char *path, Complaint *complaint) {
  static const char *const families[] = {"llama", "mistral", "qwen2", "qwen3"};
  const char *family = json_string_value(json_object_get(config, "model_type"));
  const char *activation = json_string_value(json_object_get(config, "hidden_act"));
  bool known = false;
  for (size_t i = 0; family && i < sizeof families / sizeof *families; i++)
    known = known || strcmp(family, families[i]) == 0;
  if (!known)
    return complain(complaint,
                    "%s: the family is %s; this engine runs llama, mistral, qwen2, qwen3", path,
                    family ? family : "not named");
  if (activation && strcmp(activation, "silu") != 0)
    return complain(complaint, "%s: \"hidden_act\" is %s; this engine runs silu", path, activation);
  if (json_is_true(json_object_get(config, "mlp_bias")))
    return complain(complaint, "%s: the MLP has biases, which this engine does not run", path);
  return true;
}

/* The value as a token of the vocabulary, or NO_TOKEN. */
static size_t token_of(const json_t *value, const Model *model) {
  const json_int_t token = json_integer_value(value);
  const bool known = json_is_integer(value) && token >= 0 && (size_t)token < model->vocabulary;
  return known ? (size_t)token : NO_TOKEN;
}

static void read_special_tokens(const json_t *config, Model *model) {
  const json_t *last = json_object_get(config, "eos_token_id");
  model->first_token = token_of(json_object_get(config, "bos_token_id"), model);
  for (size_t i = 0; i < sizeof model->last_tokens / sizeof *model->last_tokens; i++)
    model->last_tokens[i] = token_of(json_is_array(last) ? json_array_get(last, i)
                                     : i == 0            ? last
                                                         : NULL,
                                     model);
}

static bool read_config(const json_t *config, const char *path, Model *model, bool *tied,
                        Complaint *complaint) {
  const json_t *epsilon = json_object_get(config, "rms_norm_eps");
  if (!is_supported(config, path, complaint) ||
      !read_size(config, path, "intermediate_size", &model->hidden, complaint) ||
      !read_size(config, path, "vocab_size", &model->vocabulary, complaint) ||
      !read_size(config, path, "max_position_embeddings", &model->positions, complaint))
    return false;
  model->norm_epsilon = (float)json_number_value(epsilon);
  if (!json_is_number(epsilon) || !(model->norm_epsilon >= 0 && model->norm_epsilon <= 1))
    return complain(complaint, "%s: \"rms_norm_eps\" is not a number from 0 to 1", path);
  *tied = json_is_true(json_object_get(config, "tie_word_embeddings"));
  read_special_tokens(config, model);
  return true;
}

/* ---- tensors ---- */

/* Tensors are gone through twice in the same order: first they are looked for and counted, then,
 * with memory for all of them, read. */
typedef struct Walk {
  const AttendTensorFile *file;
  const char *path;   /* of the directory */
  const char *prefix; /* "model." or nothing */
  float *memory;      /* null: the first time */
  size_t floats;      /* of the tensors so far */
  Complaint *complaint;
} Walk;

/* The next tensor: a matrix [rows, columns], or a vector if rows is 0. */
__attribute__((format(printf, 5, 6))) static bool
visit(Walk *walk, size_t rows, size_t columns, const float **where, const char *format, ...) {
  char name[128], error[ATTEND_FILE_ERROR_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  const AttendTensor *t = attend_find_tensor(walk->file, name);
  if (!t) return complain(walk->complaint, "%s: there is no tensor %s", walk->path, name);
  const bool fits = rows > 0 ? t->rank == 2 && t->dims[0] == rows && t->dims[1] == columns
                             : t->rank == 1 && t->dims[0] == columns;
  if (!fits && rows > 0)
    return complain(walk->complaint, "%s: the shape of %s is not [%zu, %zu]", t->path, name, rows,
                    columns);
  if (!fits)
    return complain(walk->complaint, "%s: the shape of %s is not [%zu]", t->path, name, columns);

  /* The library has seen to it that one shape cannot wrap; a sum of shapes can, because a tensor of
   * a dtype unknown to it may take no bytes at all. */
  const size_t count = (rows > 0 ? rows : 1) * columns, begin = walk->floats;
  if (__builtin_add_overflow(begin, count, &walk->floats))
    return complain(walk->complaint, "%s describes more weights than memory can hold", walk->path);
  if (!walk->memory) return true;
  *where = walk->memory + begin;
  return attend_read_tensor(walk->file, name, walk->memory + begin, count, error, sizeof error) ==
             ATTEND_OK ||
         complain(walk->complaint, "%s", error);
}

static bool visit_block(Walk *walk, Model *model, size_t layer) {
  const size_t width = model->attention.shape.width, hidden = model->hidden;
  Block *block = &model->blocks[layer];
  const char *p = walk->prefix;
  return visit(walk, 0, width, &block->attention_norm, "%slayers.%zu.input_layernorm.weight", p,
               layer) &&
         visit(walk, 0, width, &block->mlp_norm, "%slayers.%zu.post_attention_layernorm.weight", p,
               layer) &&
         visit(walk, hidden, width, &block->gate, "%slayers.%zu.mlp.gate_proj.weight", p, layer) &&
         visit(walk, hidden, width, &block->up, "%slayers.%zu.mlp.up_proj.weight", p, layer) &&
         visit(walk, width, hidden, &block->down, "%slayers.%zu.mlp.down_proj.weight", p, layer);
}

static bool visit_all(Walk *walk, Model *model, bool tied) {
  const size_t width = model->attention.shape.width;
  walk->floats = 0;
  if (!visit(walk, model->vocabulary, width, &model->embedding, "%sembed_tokens.weight",
             walk->prefix) ||
      !visit(walk, 0, width, &model->final_norm, "%snorm.weight", walk->prefix))
    return false;
  for (size_t layer = 0; layer < model->attention.layers; layer++)
    if (!visit_block(walk, model, layer)) return false;
  if (!tied) return visit(walk, model->vocabulary, width, &model->classifier, "lm_head.weight");
  model->classifier = model->embedding;
  return true;
}

static bool read_attention(const AttendTensorFile *file, AttendContext *context, Model *model,
                           Complaint *complaint) {
  for (size_t i = 0; i < model->attention.layers; i++) {
    AttendLayer layer = {0};
    char error[ATTEND_FILE_ERROR_SIZE];
    if (attend_load_layer_from(context, file, &model->attention, i, model->storage, &layer, error,
                               sizeof error))
      return complain(complaint, "%s", error);
    model->blocks[i].attention = layer.weights;
    layer.weights = NULL; /* is the block's now; these families have no sinks */
    attend_free_layer(&layer);
  }
  return true;
}

static bool read_tensors(const AttendTensorFile *file, const char *path, AttendContext *context,
                         Model *model, bool tied, Complaint *complaint) {
  const bool prefixed = attend_find_tensor(file, "model.embed_tokens.weight") != NULL;
  Walk walk = {
      .file = file, .path = path, .prefix = prefixed ? "model." : "", .complaint = complaint};
  if (!visit_all(&walk, model, tied)) return false;
  model->memory = calloc(walk.floats, sizeof *model->memory);
  if (!model->memory)
    return complain(complaint, "%s: no memory for %zu weights", path, walk.floats);
  walk.memory = model->memory;
  return visit_all(&walk, model, tied) && read_attention(file, context, model, complaint);
}

bool huggingface_read(const char *path, AttendContext *context, AttendStorage storage, Model *model,
                      Complaint *complaint) {
  char config_path[PATH_MAX], error[ATTEND_FILE_ERROR_SIZE];
  json_error_t json_error;
  AttendTensorFile *file = NULL;
  bool tied = false;
  memset(model, 0, sizeof *model);
  model->storage = storage;
  if ((size_t)snprintf(config_path, sizeof config_path, "%s/config.json", path) >=
      sizeof config_path)
    return complain(complaint, "%s is too long a name", path);
  if (attend_read_config(config_path, &model->attention, error, sizeof error) ||
      attend_open_tensors(path, &file, error, sizeof error))
    return complain(complaint, "%s", error);
  json_t *config = json_load_file(config_path, 0, &json_error);
  const bool good = (config || complain(complaint, "%s: %s", config_path, json_error.text)) &&
                    read_config(config, config_path, model, &tied, complaint) &&
                    read_tensors(file, path, context, model, tied, complaint);
  json_decref(config);
  attend_close_tensors(&file);
  if (!good) model_free(model);
  return good;
}
