/* config.c - the attention layer's sizes from a Hugging Face config.json.
 *
 * Owns the table of families: how each spells its fields, and what its own code does where the
 * file says nothing. The text is read whole, parsed by jansson, and a model is copied out only once
 * every field has passed; until then the caller's struct is not touched.
 *
 * Refuses whatever would have to be guessed: unknown families, fields of the wrong type, keys given
 * twice, sizes that contradict each other. Fields that say nothing about sizes (RoPE, windows,
 * norms) are left alone.
 */
#include "attend/io.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Published files are a few KiB; the limit keeps a wrong file name (weights, say) out of memory. */
#define MAX_FILE_BYTES ((off_t)16 * 1024 * 1024)
/* The largest size that a field may state: whatever fits the models' own 32-bit integers. */
#define MAX_SIZE INT32_MAX
/* What is shown of a long path (its end) and of a long string in the file (its beginning), so that
 * any sentence fits ATTEND_FILE_ERROR_SIZE. */
#define MAX_SHOWN_PATH 192
#define MAX_SHOWN_STRING 40

/* How a family spells its fields; null where it has none. */
typedef struct Family {
  const char *model_type;
  const char *width, *query_heads, *kv_heads, *head_dim, *layers;
  const char *bias;                   /* a field that gives all four matrices a bias */
  bool has_qkv_bias, has_output_bias; /* biases that its code has whatever the file says */
  size_t default_head_dim;            /* where the file has none; 0: width / query_heads */
} Family;

#define USUAL_FIELDS                                                                               \
  .width = "hidden_size", .query_heads = "num_attention_heads", .kv_heads = "num_key_value_heads", \
  .head_dim = "head_dim", .layers = "num_hidden_layers"

static const Family families[] = {
    {.model_type = "llama", USUAL_FIELDS, .bias = "attention_bias"},
    {.model_type = "mistral", USUAL_FIELDS},
    {.model_type = "qwen2", USUAL_FIELDS, .has_qkv_bias = true},
    /* Qwen3Config fills in 128, also where width / query_heads is another number. */
    {.model_type = "qwen3", USUAL_FIELDS, .bias = "attention_bias", .default_head_dim = 128},
    {.model_type = "gpt2",
     .width = "n_embd",
     .query_heads = "n_head",
     .layers = "n_layer",
     .has_qkv_bias = true,
     .has_output_bias = true},
};
#define FAMILY_COUNT (sizeof families / sizeof families[0])

/* Which file is being read, and where the sentence of a failure goes. */
typedef struct Report {
  const char *path;
  char *error;
  size_t error_size; /* 0 if nobody wants the sentence */
} Report;

/* Writes "PATH: " and the formatted reason, on one line whatever bytes path and file hold, and
 * returns status, so that a failing function can return its result. */
__attribute__((format(printf, 3, 4))) static AttendStatus
refuse(const Report *report, AttendStatus status, const char *format, ...) {
  if (report->error_size == 0) return status;

  const size_t path_length = strlen(report->path);
  const size_t hidden = path_length > MAX_SHOWN_PATH ? path_length - MAX_SHOWN_PATH : 0;
  char sentence[ATTEND_FILE_ERROR_SIZE];
  const int head =
      snprintf(sentence, sizeof sentence, "%s%s: ", hidden > 0 ? "..." : "", report->path + hidden);
  if (head < 0) return status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence + head, sizeof sentence - (size_t)head, format, arguments);
  va_end(arguments);

  const size_t length = strnlen(sentence, sizeof sentence - 1);
  const size_t copied = length < report->error_size ? length : report->error_size - 1;
  for (size_t i = 0; i < copied; i++) {
    const unsigned char byte = (unsigned char)sentence[i];
    report->error[i] = byte < 0x20 || byte == 0x7f ? '?' : sentence[i];
  }
  report->error[copied] = '\0';
  return status;
}

/* Opens the file if it is one that can be read whole. O_NONBLOCK keeps a named pipe without a
 * writer from holding the call up before it can be refused. */
static AttendStatus open_file(const Report *report, int *file, size_t *bytes) {
  const int opened = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) {
    return refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be opened: %m");
  }

  AttendStatus status = ATTEND_OK;
  struct stat facts;
  if (fstat(opened, &facts) != 0) {
    status = refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be examined: %m");
  } else if (!S_ISREG(facts.st_mode)) {
    status = refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "this is %s; a regular file is expected",
                    S_ISDIR(facts.st_mode) ? "a directory" : "a device, pipe or socket");
  } else if (facts.st_size == 0) {
    status =
        refuse(report, ATTEND_STATUS_FILE_INVALID, "the file is empty; a JSON object is expected");
  } else if (facts.st_size > MAX_FILE_BYTES) {
    status = refuse(report, ATTEND_STATUS_FILE_INVALID,
                    "the file has %lld bytes; a config.json of at most %lld is expected",
                    (long long)facts.st_size, (long long)MAX_FILE_BYTES);
  }

  if (status != ATTEND_OK) {
    close(opened);
    return status;
  }
  *file = opened;
  *bytes = (size_t)facts.st_size;
  return ATTEND_OK;
}

/* Reads up to `bytes` bytes into text; *length is less only if the file has shrunk meanwhile. */
static AttendStatus read_bytes(const Report *report, int file, char *text, size_t bytes,
                               size_t *length) {
  *length = 0;
  while (*length < bytes) {
    const ssize_t got = read(file, text + *length, bytes - *length);
    if (got == 0) break;
    if (got > 0) {
      *length += (size_t)got;
    } else if (errno != EINTR) {
      return refuse(report, ATTEND_STATUS_FILE_UNREADABLE, "the file cannot be read: %m");
    }
  }
  return ATTEND_OK;
}

static AttendStatus read_text(const Report *report, char **text, size_t *length) {
  int file = -1;
  size_t bytes = 0;
  AttendStatus status = open_file(report, &file, &bytes);
  if (status != ATTEND_OK) return status;

  char *const buffer = malloc(bytes);
  if (buffer == NULL) {
    status = refuse(report, ATTEND_STATUS_OUT_OF_MEMORY, "%zu bytes could not be allocated", bytes);
  } else {
    status = read_bytes(report, file, buffer, bytes, length);
  }
  close(file);

  if (status != ATTEND_OK) {
    free(buffer);
    return status;
  }
  *text = buffer;
  return ATTEND_OK;
}

/* What a value is, in words that can follow "is". */
static void describe_value(const json_t *value, char *text, size_t size) {
  static const char *const kinds[] = {
      [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",      [JSON_NULL] = "null",
  };
  if (json_is_integer(value)) {
    snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  } else if (json_is_real(value)) {
    snprintf(text, size, "the real number %g", json_real_value(value));
  } else if (json_is_string(value)) {
    const char *const string = json_string_value(value);
    size_t shown = strnlen(string, MAX_SHOWN_STRING);
    /* jansson has checked that this is UTF-8: the cut must not fall inside a character. */
    while (shown > 0 && ((unsigned char)string[shown] & 0xc0) == 0x80) shown--;
    snprintf(text, size, "the string \"%.*s%s\"", (int)shown, string,
             string[shown] == '\0' ? "" : "...");
  } else {
    snprintf(text, size, "%s", kinds[json_typeof(value)]);
  }
}

/* Refuses a field, with what was found in its place (null: nothing) and what would be right. */
static AttendStatus refuse_field(const Report *report, const char *field, const json_t *found,
                                 const char *expected) {
  if (found == NULL) {
    return refuse(report, ATTEND_STATUS_FILE_INVALID, "field \"%s\" is missing; %s is expected",
                  field, expected);
  }
  char text[MAX_SHOWN_STRING + 32];
  describe_value(found, text, sizeof text);
  return refuse(report, ATTEND_STATUS_FILE_INVALID, "field \"%s\" is %s; %s is expected", field,
                text, expected);
}

static AttendStatus parse_object(const Report *report, const char *text, size_t length,
                                 json_t **config) {
  json_error_t problem;
  json_t *const root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
  if (root == NULL) {
    /* Where an allocation fails jansson gives its code for that, or no text at all. */
    if (json_error_code(&problem) == json_error_out_of_memory || problem.text[0] == '\0') {
      return refuse(report, ATTEND_STATUS_OUT_OF_MEMORY, "the JSON does not fit into memory");
    }
    return refuse(report, ATTEND_STATUS_FILE_INVALID, "not valid JSON at %d:%d (line:column): %s",
                  problem.line, problem.column, problem.text);
  }
  if (!json_is_object(root)) {
    char found[MAX_SHOWN_STRING + 32];
    describe_value(root, found, sizeof found);
    json_decref(root);
    return refuse(report, ATTEND_STATUS_FILE_INVALID,
                  "the file's JSON is %s; an object is expected", found);
  }
  *config = root;
  return ATTEND_OK;
}

/* A field's value; null if the family has no such field or the file leaves it out. A JSON null
 * counts as left out, as it does in the models' own code. */
static const json_t *find_stated(const json_t *config, const char *field) {
  const json_t *const value = field == NULL ? NULL : json_object_get(config, field);
  return json_is_null(value) ? NULL : value;
}

static AttendStatus read_family(const Report *report, const json_t *config, const Family **family) {
  const json_t *const model_type = json_object_get(config, "model_type");
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
  return refuse_field(report, "model_type", model_type, expected);
}

static AttendStatus read_size(const Report *report, const json_t *config, const char *field,
                              size_t *size) {
  const json_t *const value = json_object_get(config, field);
  if (json_is_integer(value) && json_integer_value(value) >= 1 &&
      json_integer_value(value) <= MAX_SIZE) {
    *size = (size_t)json_integer_value(value);
    return ATTEND_OK;
  }
  char expected[64];
  snprintf(expected, sizeof expected, "an integer from 1 to %d", MAX_SIZE);
  return refuse_field(report, field, value, expected);
}

static AttendStatus read_flag(const Report *report, const json_t *config, const char *field,
                              bool *flag) {
  const json_t *const value = find_stated(config, field);
  if (value != NULL && !json_is_boolean(value)) {
    return refuse_field(report, field, value, "true or false");
  }
  *flag = json_is_true(value);
  return ATTEND_OK;
}

static AttendStatus read_kv_heads(const Report *report, const json_t *config, const Family *family,
                                  AttendLayerShape *shape) {
  if (find_stated(config, family->kv_heads) == NULL) {
    shape->kv_heads = shape->query_heads;
    return ATTEND_OK;
  }
  const AttendStatus status = read_size(report, config, family->kv_heads, &shape->kv_heads);
  if (status != ATTEND_OK) return status;
  if (shape->query_heads % shape->kv_heads != 0) {
    return refuse(report, ATTEND_STATUS_BAD_HEADS,
                  "field \"%s\" is %zu; a multiple of \"%s\" (%zu) is expected",
                  family->query_heads, shape->query_heads, family->kv_heads, shape->kv_heads);
  }
  return ATTEND_OK;
}

static AttendStatus read_head_dim(const Report *report, const json_t *config, const Family *family,
                                  AttendLayerShape *shape) {
  if (find_stated(config, family->head_dim) != NULL) {
    return read_size(report, config, family->head_dim, &shape->head_dim);
  }
  if (family->default_head_dim > 0) {
    shape->head_dim = family->default_head_dim;
    return ATTEND_OK;
  }
  if (shape->width % shape->query_heads != 0) {
    return refuse(report, ATTEND_STATUS_FILE_INVALID,
                  "field \"%s\" is %zu; a multiple of \"%s\" (%zu)%s is expected", family->width,
                  shape->width, family->query_heads, shape->query_heads,
                  family->head_dim == NULL ? "" : ", or a field \"head_dim\",");
  }
  shape->head_dim = shape->width / shape->query_heads;
  return ATTEND_OK;
}

/* W_qkv, [E, (Hq + 2 Hk) D], is the larger of a layer's two matrices: W_o is [Hq D, E]. */
static AttendStatus check_bytes(const Report *report, const AttendLayerShape *shape) {
  size_t heads, bytes;
  if (__builtin_mul_overflow(shape->kv_heads, (size_t)2, &heads) ||
      __builtin_add_overflow(heads, shape->query_heads, &heads) ||
      __builtin_mul_overflow(heads, shape->head_dim, &bytes) ||
      __builtin_mul_overflow(bytes, shape->width, &bytes) ||
      __builtin_mul_overflow(bytes, sizeof(float), &bytes)) {
    return refuse(report, ATTEND_STATUS_OVERFLOW,
                  "width %zu, %zu query heads, %zu kv heads and head dimension %zu give a weight "
                  "matrix of more than %zu bytes; smaller sizes are expected",
                  shape->width, shape->query_heads, shape->kv_heads, shape->head_dim, SIZE_MAX);
  }
  return ATTEND_OK;
}

/* A name goes into tables and reports: one that is empty, too long or breaks a line is none. */
static bool name_fits(const char *name) {
  const size_t length = strnlen(name, ATTEND_NAME_SIZE);
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
  }
  return length > 0 && length < ATTEND_NAME_SIZE;
}

static AttendStatus read_model(const Report *report, const json_t *config, AttendModel *model) {
  AttendModel layer = {.source = NULL};
  AttendLayerShape *const shape = &layer.shape;
  const Family *family = NULL;
  bool bias = false;

  AttendStatus status = read_family(report, config, &family);
  if (status == ATTEND_OK) status = read_size(report, config, family->width, &shape->width);
  if (status == ATTEND_OK) {
    status = read_size(report, config, family->query_heads, &shape->query_heads);
  }
  if (status == ATTEND_OK) status = read_kv_heads(report, config, family, shape);
  if (status == ATTEND_OK) status = read_head_dim(report, config, family, shape);
  if (status == ATTEND_OK) status = read_size(report, config, family->layers, &layer.layers);
  if (status == ATTEND_OK) status = read_flag(report, config, family->bias, &bias);
  if (status == ATTEND_OK) status = check_bytes(report, shape);
  if (status != ATTEND_OK) return status;

  shape->value_dim = shape->head_dim;
  layer.qkv_bias = family->has_qkv_bias || bias;
  layer.output_bias = family->has_output_bias || bias;
  const char *const stated = json_string_value(json_object_get(config, "_name_or_path"));
  const char *const name = stated != NULL && name_fits(stated) ? stated : family->model_type;
  memcpy(layer.name, name, strlen(name) + 1);
  *model = layer;
  return ATTEND_OK;
}

AttendStatus attend_read_config(const char *path, AttendModel *model, char *error,
                                size_t error_size) {
  const Report report = {path == NULL ? "config.json" : path, error,
                         error == NULL ? 0 : error_size};
  if (report.error_size > 0) error[0] = '\0';
  if (path == NULL || model == NULL) {
    return refuse(&report, ATTEND_STATUS_NULL_POINTER, "%s is null; a pointer is expected",
                  path == NULL ? "the path" : "the model to fill");
  }

  char *text = NULL;
  size_t length = 0;
  AttendStatus status = read_text(&report, &text, &length);
  if (status != ATTEND_OK) return status;

  json_t *config = NULL;
  status = parse_object(&report, text, length, &config);
  free(text);
  if (status == ATTEND_OK) status = read_model(&report, config, model);
  json_decref(config);
  return status;
}
