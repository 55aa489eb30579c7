/* config.c - reads a model's attention layers from a Hugging Face config.json.
 *
 * Owns the table of families: how each spells its fields, and which defaults its own code has.
 * Reads the sizes, the biases, the scale and the softcap; config_rope.c reads RoPE, config_layers.c
 * the windows. The caller's struct is filled after every field has passed, and not touched before.
 *
 * Refuses to guess: unknown families, fields of the wrong type, keys given twice, sizes that
 * contradict each other, and settings that an AttendModel cannot express. Ignores fields that do
 * not concern the attention layers.
 */
#include "io/config/config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/config/config_parts.h"

/* Published files have a few KiB. The limit keeps us from reading a file of weights by mistake. */
#define MAX_FILE_BYTES ((size_t)16 * 1024 * 1024)

#define USUAL_FIELDS                                                                               \
  .width = "hidden_size", .query_heads = "num_attention_heads", .kv_heads = "num_key_value_heads", \
  .head_dim = "head_dim", .layers = "num_hidden_layers"

static const ConfigFamily families[] = {
    {.model_type = "llama", USUAL_FIELDS, .bias = "attention_bias", .rope_base = 10000},
    {.model_type = "mistral",
     USUAL_FIELDS,
     .rope_base = 10000,
     .window_rule = CONFIG_WINDOW_ON_ALL,
     .default_window = 4096},
    {.model_type = "qwen2",
     USUAL_FIELDS,
     .has_qkv_bias = true,
     .rope_base = 10000,
     .window_rule = CONFIG_WINDOW_ON_LATE,
     .default_window = 4096,
     .fixed = {{"use_mrope", false}}},
    /* Qwen3Config fills in 128, even if width / query_heads is another number. */
    {.model_type = "qwen3",
     USUAL_FIELDS,
     .default_head_dim = 128,
     .bias = "attention_bias",
     .qk_norm = true,
     .rope_base = 10000,
     .window_rule = CONFIG_WINDOW_ON_LATE,
     .default_window = 4096},
    {.model_type = "gemma2",
     USUAL_FIELDS,
     .default_kv_heads = 4,
     .default_head_dim = 256,
     .bias = "attention_bias",
     .rope_base = 10000,
     .window_rule = CONFIG_WINDOW_ON_EVEN,
     .default_window = 4096,
     .default_softcap = 50,
     .default_query_scalar = 256,
     .fixed = {{"use_bidirectional_attention", false}}},
    {.model_type = "gpt2",
     .width = "n_embd",
     .query_heads = "n_head",
     .layers = "n_layer",
     .has_qkv_bias = true,
     .has_output_bias = true,
     .fixed = {{"scale_attn_weights", true}, {"scale_attn_by_inverse_layer_idx", false}}},
    {.model_type = "gpt_oss",
     USUAL_FIELDS,
     .default_kv_heads = 8,
     .default_head_dim = 64,
     .bias = "attention_bias",
     .default_bias = true,
     .sinks = true,
     .rope_base = 150000,
     .yarn_factor = 32,
     .yarn_positions = 4096,
     .window_rule = CONFIG_WINDOW_ON_EVEN,
     .default_window = 128},
};
#define FAMILY_COUNT (sizeof families / sizeof families[0])

static AttendStatus read_family(const ConfigObject *config, const ConfigFamily **family) {
  const json_t *const model_type = json_object_get(config->json, "model_type");
  char expected[128] = "one of";
  size_t length = strlen(expected);
  for (size_t i = 0; i < FAMILY_COUNT; i++) {
    if (json_is_string(model_type) &&
        strcmp(json_string_value(model_type), families[i].model_type) == 0) {
      *family = &families[i];
      return ATTEND_OK;
    }
    const int added = snprintf(expected + length, sizeof expected - length, "%s \"%s\"",
                               i > 0 ? "," : "", families[i].model_type);
    if (added > 0 && (size_t)added < sizeof expected - length) length += (size_t)added;
  }
  return config_refuse_field(config, "model_type", model_type, expected);
}

/* In the models' own code a null means as many as query heads. A missing field may mean another
 * number. */
static AttendStatus read_kv_heads(const ConfigObject *config, const ConfigFamily *family,
                                  AttendLayerShape *shape) {
  shape->kv_heads = shape->query_heads;
  if (family->kv_heads == NULL) return ATTEND_OK;
  const json_t *const stated = json_object_get(config->json, family->kv_heads);
  if (stated == NULL && family->default_kv_heads > 0) shape->kv_heads = family->default_kv_heads;
  if (stated != NULL && !json_is_null(stated)) {
    if (config_read_size(config, family->kv_heads, 1, CONFIG_MAX_SIZE, &shape->kv_heads)) {
      return config->fault->status;
    }
  }
  if (shape->query_heads % shape->kv_heads != 0) {
    return fault_set(config->fault, ATTEND_STATUS_BAD_HEADS,
                     "field \"%s\" is %zu; a multiple of \"%s\" (%zu) is expected",
                     family->query_heads, shape->query_heads, family->kv_heads, shape->kv_heads);
  }
  return ATTEND_OK;
}

static AttendStatus read_head_dim(const ConfigObject *config, const ConfigFamily *family,
                                  AttendLayerShape *shape) {
  if (config_find(config, family->head_dim) != NULL) {
    return config_read_size(config, family->head_dim, 1, CONFIG_MAX_SIZE, &shape->head_dim);
  }
  if (family->default_head_dim > 0) {
    shape->head_dim = family->default_head_dim;
    return ATTEND_OK;
  }
  if (shape->width % shape->query_heads != 0) {
    return fault_set(config->fault, ATTEND_STATUS_FILE_INVALID,
                     "field \"%s\" is %zu; a multiple of \"%s\" (%zu)%s is expected", family->width,
                     shape->width, family->query_heads, shape->query_heads,
                     family->head_dim == NULL ? "" : ", or a field \"head_dim\",");
  }
  shape->head_dim = shape->width / shape->query_heads;
  return ATTEND_OK;
}

/* W_qkv, [E, (Hq + 2 Hk) D], is the larger of a layer's two matrices: W_o is [Hq D, E]. */
static AttendStatus check_bytes(const AttendLayerShape *shape, Fault *fault) {
  size_t heads, bytes;
  if (__builtin_mul_overflow(shape->kv_heads, (size_t)2, &heads) ||
      __builtin_add_overflow(heads, shape->query_heads, &heads) ||
      __builtin_mul_overflow(heads, shape->head_dim, &bytes) ||
      __builtin_mul_overflow(bytes, shape->width, &bytes) ||
      __builtin_mul_overflow(bytes, sizeof(float), &bytes)) {
    return fault_set(fault, ATTEND_STATUS_OVERFLOW,
                     "width %zu, %zu query heads, %zu kv heads and head dimension %zu give a "
                     "weight matrix of more than %zu bytes; smaller sizes are expected",
                     shape->width, shape->query_heads, shape->kv_heads, shape->head_dim, SIZE_MAX);
  }
  return ATTEND_OK;
}

static AttendStatus read_shape(const ConfigObject *config, const ConfigFamily *family,
                               AttendLayerShape *shape) {
  AttendStatus status = config_read_size(config, family->width, 1, CONFIG_MAX_SIZE, &shape->width);
  if (status == ATTEND_OK) {
    status = config_read_size(config, family->query_heads, 1, CONFIG_MAX_SIZE, &shape->query_heads);
  }
  if (status == ATTEND_OK) status = read_kv_heads(config, family, shape);
  if (status == ATTEND_OK) status = read_head_dim(config, family, shape);
  shape->value_dim = shape->head_dim;
  return status;
}

static AttendStatus read_biases(const ConfigObject *config, const ConfigFamily *family,
                                AttendModel *model) {
  bool bias = family->default_bias;
  const AttendStatus status = config_read_optional_flag(config, family->bias, &bias);
  model->qkv_bias = family->has_qkv_bias || bias;
  model->output_bias = family->has_output_bias || bias;
  return status;
}

static AttendStatus read_norm(const ConfigObject *config, const ConfigFamily *family,
                              AttendModel *model) {
  static const ConfigRange range = {0, FLT_MAX, "a number of at least 0 that fits fp32"};
  if (!family->qk_norm) return ATTEND_OK;
  double epsilon = 1e-6; /* of Qwen3Config */
  const AttendStatus status = config_read_optional_number(config, "rms_norm_eps", &range, &epsilon);
  model->qk_norm = true;
  model->norm_epsilon = (float)epsilon;
  return status;
}

/* A null switches the softcap off. The scalar must be a number. */
static AttendStatus read_scores(const ConfigObject *config, const ConfigFamily *family,
                                AttendModel *model) {
  static const ConfigRange range = {FLT_MIN, FLT_MAX, "a number above 0 that fits fp32"};
  model->sinks = family->sinks;
  if (family->default_softcap > 0 &&
      !json_is_null(json_object_get(config->json, "attn_logit_softcapping"))) {
    double softcap = family->default_softcap;
    if (config_read_optional_number(config, "attn_logit_softcapping", &range, &softcap)) {
      return config->fault->status;
    }
    model->softcap = (float)softcap;
  }
  if (family->default_query_scalar > 0) {
    double scalar = family->default_query_scalar;
    if (config_read_optional_number(config, "query_pre_attn_scalar", &range, &scalar)) {
      return config->fault->status;
    }
    model->scale = (float)(1 / sqrt(scalar));
  }
  return ATTEND_OK;
}

static AttendStatus check_fixed(const ConfigObject *config, const ConfigFamily *family) {
  for (size_t i = 0; i < sizeof family->fixed / sizeof family->fixed[0]; i++) {
    const char *const field = family->fixed[i].field;
    const bool only = family->fixed[i].only;
    bool stated = only;
    if (config_read_optional_flag(config, field, &stated)) return config->fault->status;
    if (stated != only) {
      return config_refuse_field(config, field, config_find(config, field),
                                 only ? "true" : "false");
    }
  }
  return ATTEND_OK;
}

/* Names go into tables and reports, so they must not be empty, too long or break a line. */
static bool name_fits(const char *name) {
  const size_t length = strnlen(name, ATTEND_NAME_SIZE);
  for (size_t i = 0; i < length; i++) {
    if (fault_control_bytes(name + i) > 0) return false;
  }
  return length > 0 && length < ATTEND_NAME_SIZE;
}

static AttendStatus read_model(const ConfigObject *config, AttendModel *model) {
  AttendModel layer = {.source = NULL};
  const ConfigFamily *family = NULL;

  AttendStatus status = read_family(config, &family);
  if (status == ATTEND_OK) status = read_shape(config, family, &layer.shape);
  if (status == ATTEND_OK) {
    status = config_read_size(config, family->layers, 1, ATTEND_MODEL_LAYERS, &layer.layers);
  }
  if (status == ATTEND_OK) status = check_bytes(&layer.shape, config->fault);
  if (status == ATTEND_OK) status = read_biases(config, family, &layer);
  if (status == ATTEND_OK) status = read_norm(config, family, &layer);
  if (status == ATTEND_OK) {
    status = config_read_rope(config, family, layer.shape.head_dim, &layer.rope);
  }
  if (status == ATTEND_OK) status = read_scores(config, family, &layer);
  if (status == ATTEND_OK) status = config_read_layers(config, family, &layer);
  if (status == ATTEND_OK) status = check_fixed(config, family);
  if (status != ATTEND_OK) return status;

  const char *const stated = json_string_value(json_object_get(config->json, "_name_or_path"));
  const char *const name = stated != NULL && name_fits(stated) ? stated : family->model_type;
  memcpy(layer.name, name, strlen(name) + 1);
  *model = layer;
  return ATTEND_OK;
}

static AttendStatus read_config(const char *path, AttendModel *model, Fault *fault) {
  if (path == NULL || model == NULL) {
    return fault_set(fault, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                     path == NULL ? "the path" : "the model to fill");
  }
  json_t *root = NULL;
  if (json_read_file(path, MAX_FILE_BYTES, "a config.json", &root, fault)) return fault->status;
  const ConfigObject config = {.fault = fault, .json = root};
  const AttendStatus status = read_model(&config, model);
  json_decref(root);
  return status;
}

AttendStatus attend_read_config(const char *path, AttendModel *model, char *error,
                                size_t error_size) {
  Fault fault = {.place = path != NULL ? path : "config.json"};
  read_config(path, model, &fault);
  return fault_tell(&fault, error, error_size);
}

/* The path of config.json in or beside `path`; null if memory is short. */
static char *path_beside(const char *path) {
  struct stat facts;
  const char *const slash = strrchr(path, '/');
  if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) return file_text("%s/config.json", path);
  return file_text("%.*sconfig.json", slash == NULL ? 0 : (int)(slash - path) + 1, path);
}

AttendStatus config_read_beside(const char *path, AttendModel *model, Fault *fault) {
  char *const config = path_beside(path);
  if (config == NULL) {
    return fault_set(fault, ATTEND_STATUS_OUT_OF_MEMORY,
                     "the path of its config.json could not be allocated");
  }
  fault->place = config;
  const AttendStatus status = read_config(config, model, fault);
  fault->place = path;
  free(config);
  return status;
}

AttendStatus attend_read_config_beside(const char *path, AttendModel *model, char *error,
                                       size_t error_size) {
  if (path == NULL) return attend_read_config(NULL, model, error, error_size);
  Fault fault = {.place = path};
  config_read_beside(path, model, &fault);
  return fault_tell(&fault, error, error_size);
}
