/* checkpoint.c - reading the checkpoints of llama2.c.
 *
 * Seven int32 (width, hidden width of the MLP, layers, query heads, kv heads, vocabulary, context;
 * a negative vocabulary says that the classifier is not the embedding), then fp32 weights, one
 * kind after the other, each for all layers, with nothing between them.
 *
 * No number of the header is used before it is known to be in its range, and no weight is read
 * before the size of the file is known to be exactly what the header promises: after that no
 * product of two of its numbers can overflow, because each counts weights that are there.
 */
#include <stdlib.h>
#include <string.h>

#include "input_file.h"
#include "toy_model.h"

typedef struct Header {
  int32_t width, hidden, layers, query_heads, kv_heads, vocabulary, context;
} Header;

/* The weights of one kind in the order of the file: so many matrices of rows x columns. */
typedef struct Section {
  size_t matrices, rows, columns;
} Section;

enum {
  EMBEDDING,
  ATTENTION_NORM,
  QUERY,
  KEY,
  VALUE,
  OUTPUT,
  MLP_NORM,
  GATE,
  DOWN,
  UP,
  FINAL_NORM,
  ROPE_TABLES, /* cos and sin; the library makes its own */
  CLASSIFIER,
  SECTIONS
};

/* The first bytes of the later versions of the format, read as the width. */
#define LATER_VERSIONS 0x616b3432

static bool check_header(const Header *h, const char *path, Complaint *complaint) {
  const struct {
    const char *name;
    int64_t value, most;
  } fields[] = {
      {"width", h->width, INT32_MAX},
      {"hidden width", h->hidden, INT32_MAX},
      {"number of layers", h->layers, ATTEND_MODEL_LAYERS},
      {"number of query heads", h->query_heads, h->width},
      {"number of kv heads", h->kv_heads, h->query_heads},
      {"vocabulary", llabs(h->vocabulary), INT32_MAX},
      {"context", h->context, INT32_MAX},
  };
  if (h->width == LATER_VERSIONS)
    return complain(complaint, "%s is a later version of a llama2.c checkpoint; version 0 is read",
                    path);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (fields[i].value < 1 || fields[i].value > fields[i].most)
      return complain(complaint, "%s: the %s is %lld; expected 1 to %lld", path, fields[i].name,
                      (long long)fields[i].value, (long long)fields[i].most);
  }
  if (h->query_heads % h->kv_heads != 0)
    return complain(complaint, "%s: %d query heads are not a multiple of %d kv heads", path,
                    h->query_heads, h->kv_heads);
  if (h->width % (2 * (int64_t)h->query_heads) != 0)
    return complain(complaint, "%s: a width of %d does not make %d heads of an even dimension",
                    path, h->width, h->query_heads);
  return true;
}

static void list_sections(const Header *h, Section sections[static SECTIONS]) {
  const size_t width = (size_t)h->width, hidden = (size_t)h->hidden, layers = (size_t)h->layers,
               head = width / (size_t)h->query_heads, kv = (size_t)h->kv_heads * head,
               vocabulary = (size_t)llabs(h->vocabulary);
  sections[EMBEDDING] = (Section){1, vocabulary, width};
  sections[ATTENTION_NORM] = (Section){layers, 1, width};
  sections[QUERY] = (Section){layers, width, width};
  sections[KEY] = (Section){layers, kv, width};
  sections[VALUE] = (Section){layers, kv, width};
  sections[OUTPUT] = (Section){layers, width, width};
  sections[MLP_NORM] = (Section){layers, 1, width};
  sections[GATE] = (Section){layers, hidden, width};
  sections[DOWN] = (Section){layers, width, hidden};
  sections[UP] = (Section){layers, hidden, width};
  sections[FINAL_NORM] = (Section){1, 1, width};
  sections[ROPE_TABLES] = (Section){2, (size_t)h->context, head / 2};
  sections[CLASSIFIER] = (Section){h->vocabulary < 0, vocabulary, width};
}

/* Bytes of header and weights; false if size_t does not hold them. */
static bool count_bytes(const Section sections[static SECTIONS], size_t *bytes) {
  *bytes = sizeof(Header);
  for (size_t i = 0; i < SECTIONS; i++) {
    size_t section;
    if (__builtin_mul_overflow(sections[i].rows, sections[i].columns, &section) ||
        __builtin_mul_overflow(section, sections[i].matrices, &section) ||
        __builtin_mul_overflow(section, sizeof(float), &section) ||
        __builtin_add_overflow(section, *bytes, bytes))
      return false;
  }
  return true;
}

static bool read_weights(InputFile *file, const Section sections[static SECTIONS], float **weights,
                         Complaint *complaint) {
  size_t bytes;
  if (!count_bytes(sections, &bytes))
    return complain(complaint, "%s: its header describes more weights than memory can hold",
                    file->path);
  if (bytes != file->bytes)
    return complain(complaint, "%s has %zu bytes; its header describes %zu", file->path,
                    file->bytes, bytes);
  *weights = malloc(bytes - sizeof(Header));
  if (!*weights) return complain(complaint, "%s: no memory for %zu bytes", file->path, bytes);
  return input_read(file, *weights, bytes - sizeof(Header), complaint);
}

static void fill_sizes(const Header *h, Model *model) {
  const size_t head = (size_t)h->width / (size_t)h->query_heads;
  model->attention.shape =
      (AttendLayerShape){(size_t)h->width, (size_t)h->query_heads, (size_t)h->kv_heads, head, head};
  attend_default_rope(&model->attention.rope);
  model->attention.rope.pairing = ATTEND_ROPE_INTERLEAVED;
  model->attention.layers = (size_t)h->layers;
  model->hidden = (size_t)h->hidden;
  model->vocabulary = (size_t)llabs(h->vocabulary);
  model->positions = (size_t)h->context;
  model->norm_epsilon = 1e-5f;
  model->first_token = model->vocabulary > 1 ? 1 : NO_TOKEN;
  for (size_t i = 0; i < sizeof model->last_tokens / sizeof *model->last_tokens; i++)
    model->last_tokens[i] = i < 2 ? 1 + i : NO_TOKEN; /* <s> and </s> */
}

/* Where the sections begin, and in them the matrix of one layer. */
typedef struct Places {
  const float *begin[SECTIONS];
  const Section *sections;
} Places;

static const float *matrix_at(const Places *places, size_t section, size_t layer) {
  const Section *s = &places->sections[section];
  return places->begin[section] + layer * s->rows * s->columns;
}

static bool fill_block(const Places *places, size_t layer, AttendContext *context, Model *model,
                       Complaint *complaint) {
  Block *block = &model->blocks[layer];
  block->attention_norm = matrix_at(places, ATTENTION_NORM, layer);
  block->mlp_norm = matrix_at(places, MLP_NORM, layer);
  block->gate = matrix_at(places, GATE, layer);
  block->up = matrix_at(places, UP, layer);
  block->down = matrix_at(places, DOWN, layer);

  AttendWeightSource source;
  attend_default_weight_source(&source);
  attend_model_source(&model->attention, &source);
  source.orientation = ATTEND_OUT_IN;
  source.storage = model->storage;
  source.query = matrix_at(places, QUERY, layer);
  source.key = matrix_at(places, KEY, layer);
  source.value = matrix_at(places, VALUE, layer);
  source.output = matrix_at(places, OUTPUT, layer);
  if (attend_pack_weights(context, &model->attention.shape, &source, &block->attention))
    return complain(complaint, "layer %zu: %s", layer, attend_get_error(context));
  return true;
}

static bool fill_model(const Header *header, const Section sections[static SECTIONS],
                       AttendContext *context, Model *model, Complaint *complaint) {
  Places places = {.sections = sections};
  const float *at = model->memory;
  for (size_t i = 0; i < SECTIONS; i++) {
    places.begin[i] = at;
    at += sections[i].matrices * sections[i].rows * sections[i].columns;
  }
  fill_sizes(header, model);
  model->embedding = places.begin[EMBEDDING];
  model->final_norm = places.begin[FINAL_NORM];
  model->classifier = places.begin[header->vocabulary < 0 ? CLASSIFIER : EMBEDDING];
  for (size_t layer = 0; layer < model->attention.layers; layer++) {
    if (!fill_block(&places, layer, context, model, complaint)) return false;
  }
  return true;
}

bool checkpoint_read(const char *path, AttendContext *context, AttendStorage storage, Model *model,
                     Complaint *complaint) {
  InputFile file;
  Header header;
  Section sections[SECTIONS];
  memset(model, 0, sizeof *model);
  model->storage = storage;
  if (!input_open(&file, path, complaint)) return false;
  bool good = input_read(&file, &header, sizeof header, complaint) &&
              check_header(&header, path, complaint);
  if (good) {
    list_sections(&header, sections);
    good = read_weights(&file, sections, &model->memory, complaint) &&
           fill_model(&header, sections, context, model, complaint);
  }
  input_close(&file);
  if (!good) model_free(model);
  return good;
}
