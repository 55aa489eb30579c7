/* huggingface_copy.c - naming the weights of a checkpoint, and writing them; see
 * huggingface_copy.h. */
#include "tests/toy/huggingface_copy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attend/io.h"

enum { NAME_SIZE = 64 };

typedef struct Sizes {
  size_t width, hidden, layers, heads, kv_heads, vocabulary, context, head;
  bool separate;
} Sizes;

/* Tensors on their way into the file. Those of W_q and W_k, and all biases, are copies in another
 * order, owned here; the others lie in `weights`. */
typedef struct Copy {
  Sizes sizes;
  float *weights;
  const float *at; /* of the next weight */
  size_t count;
  AttendTensor tensors[2048];
  char names[2048][NAME_SIZE];
  float *owned[2048];
} Copy;

static void add(Copy *copy, const float *data, size_t rows, size_t columns, const char *part,
                size_t layer, const char *name) {
  char *const text = copy->names[copy->count];
  if (layer == SIZE_MAX)
    snprintf(text, NAME_SIZE, "%s%s.weight", part, name);
  else
    snprintf(text, NAME_SIZE, "model.layers.%zu.%s%s", layer, part, name);
  const size_t matrix[] = {rows, columns};
  copy->tensors[copy->count++] = rows > 0 ? attend_float_tensor(text, data, matrix, 2)
                                          : attend_float_tensor(text, data, &columns, 1);
}

/* [heads * D, columns] with row d of a head taken from row 2d, and row d + D/2 from row 2d + 1. */
static const float *halve_heads(Copy *copy, const float *from, size_t rows, size_t columns) {
  const size_t head = copy->sizes.head;
  float *const to = malloc(rows * columns * sizeof *to);
  copy->owned[copy->count] = to;
  for (size_t r = 0; to && r < rows; r++) {
    const size_t d = r % head, half = head / 2;
    const size_t source = r - d + (d < half ? 2 * d : 2 * (d - half) + 1);
    memcpy(to + r * columns, from + source * columns, columns * sizeof *to);
  }
  return to;
}

/* The next kind of weight, [layers, rows, columns] of the checkpoint. */
static void add_kind(Copy *copy, size_t rows, size_t columns, const char *part, bool rotated) {
  const size_t size = (rows > 0 ? rows : 1) * columns;
  for (size_t layer = 0; layer < copy->sizes.layers; layer++, copy->at += size) {
    const float *const data = rotated ? halve_heads(copy, copy->at, rows, columns) : copy->at;
    add(copy, data, rows, columns, part, layer, ".weight");
  }
}

static void add_biases(Copy *copy, const OracleBiases *biases) {
  const size_t width = copy->sizes.width, kv = copy->sizes.kv_heads * copy->sizes.head;
  for (size_t layer = 0; layer < copy->sizes.layers; layer++) {
    add(copy, halve_heads(copy, biases->query + layer * width, width, 1), 0, width,
        "self_attn.q_proj", layer, ".bias");
    add(copy, halve_heads(copy, biases->key + layer * kv, kv, 1), 0, kv, "self_attn.k_proj", layer,
        ".bias");
    add(copy, biases->value + layer * kv, 0, kv, "self_attn.v_proj", layer, ".bias");
  }
}

static void add_all(Copy *copy) {
  const Sizes *const s = &copy->sizes;
  const size_t kv = s->kv_heads * s->head;
  copy->at = copy->weights;
  add(copy, copy->at, s->vocabulary, s->width, "model.", SIZE_MAX, "embed_tokens");
  copy->at += s->vocabulary * s->width;
  add_kind(copy, 0, s->width, "input_layernorm", false);
  add_kind(copy, s->width, s->width, "self_attn.q_proj", true);
  add_kind(copy, kv, s->width, "self_attn.k_proj", true);
  add_kind(copy, kv, s->width, "self_attn.v_proj", false);
  add_kind(copy, s->width, s->width, "self_attn.o_proj", false);
  add_kind(copy, 0, s->width, "post_attention_layernorm", false);
  add_kind(copy, s->hidden, s->width, "mlp.gate_proj", false);
  add_kind(copy, s->width, s->hidden, "mlp.down_proj", false);
  add_kind(copy, s->hidden, s->width, "mlp.up_proj", false);
  add(copy, copy->at, 0, s->width, "model.", SIZE_MAX, "norm");
  copy->at += s->width + s->context * s->head;
  if (s->separate) add(copy, copy->at, s->vocabulary, s->width, "", SIZE_MAX, "lm_head");
}

static bool read_checkpoint(Copy *copy, const char *path) {
  int32_t h[7];
  FILE *const file = fopen(path, "rb");
  if (!file) return false;
  bool good = fread(h, sizeof h, 1, file) == 1 && fseek(file, 0, SEEK_END) == 0;
  const long bytes = ftell(file) - (long)sizeof h;
  copy->weights = good && bytes > 0 ? malloc((size_t)bytes) : NULL;
  good = copy->weights && fseek(file, sizeof h, SEEK_SET) == 0 &&
         fread(copy->weights, (size_t)bytes, 1, file) == 1;
  fclose(file);
  if (!good) return false;
  copy->sizes =
      (Sizes){(size_t)h[0],      (size_t)h[1], (size_t)h[2],          (size_t)h[3], (size_t)h[4],
              (size_t)abs(h[5]), (size_t)h[6], (size_t)(h[0] / h[3]), h[5] < 0};
  return true;
}

static bool write_config(const Sizes *s, bool biases, const char *directory) {
  char path[256];
  snprintf(path, sizeof path, "%s/config.json", directory);
  FILE *const file = fopen(path, "w");
  if (!file) return false;
  fprintf(
      file,
      "{\"model_type\": \"%s\", \"hidden_size\": %zu, \"intermediate_size\": %zu,\n"
      " \"num_hidden_layers\": %zu, \"num_attention_heads\": %zu, \"num_key_value_heads\": %zu,\n"
      " \"vocab_size\": %zu, \"max_position_embeddings\": %zu, \"rms_norm_eps\": 1e-5,\n"
      " \"rope_theta\": 10000.0, \"hidden_act\": \"silu\", \"tie_word_embeddings\": %s,\n"
      " \"bos_token_id\": 1, \"eos_token_id\": [1, 2]}\n",
      biases ? "qwen2" : "llama", s->width, s->hidden, s->layers, s->heads, s->kv_heads,
      s->vocabulary, s->context, s->separate ? "false" : "true");
  return fclose(file) == 0;
}

bool copy_to_huggingface(const char *checkpoint, const OracleBiases *biases,
                         const char *directory) {
  char path[256];
  Copy *const copy = calloc(1, sizeof *copy);
  bool good = copy && read_checkpoint(copy, checkpoint);
  if (good) {
    add_all(copy);
    if (biases) add_biases(copy, biases);
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    good =
        attend_write_safetensors(path, copy->tensors, copy->count, NULL, 0, NULL, 0) == ATTEND_OK &&
        write_config(&copy->sizes, biases != NULL, directory);
  }
  if (copy) {
    for (size_t i = 0; i < copy->count; i++) free(copy->owned[i]);
    free(copy->weights);
  }
  free(copy);
  return good;
}
