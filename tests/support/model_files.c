/* model_files.c - makes models of the families that are read by name, with sizes that tell every
 * matrix from every other.
 *
 * Numbers in F16 and BF16 are made as bits and widened here by their definitions, so that what the
 * library reads is held against another computation than its own.
 */
#include "tests/support/model_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZES "\"hidden_size\":24,\"num_attention_heads\":4,\"num_hidden_layers\":3"
#define GROUPED SIZES ",\"num_key_value_heads\":2,\"head_dim\":8"
#define GROUPED_SHAPE 24, 4, 2, 8, 8

static const ModelFamily families[] = {
    {.name = "llama",
     .config = "{\"model_type\":\"llama\"," GROUPED "}",
     .prefix = "model.layers.1.self_attn.",
     .shape = {GROUPED_SHAPE}},
    {.name = "llama without model",
     .config = "{\"model_type\":\"llama\"," GROUPED "}",
     .prefix = "layers.1.self_attn.",
     .shape = {GROUPED_SHAPE}},
    {.name = "mistral",
     .config = "{\"model_type\":\"mistral\"," GROUPED ",\"sliding_window\":3}",
     .prefix = "model.layers.1.self_attn.",
     .shape = {GROUPED_SHAPE}},
    {.name = "qwen2",
     .config = "{\"model_type\":\"qwen2\"," SIZES ",\"num_key_value_heads\":1}",
     .prefix = "model.layers.1.self_attn.",
     .shape = {24, 4, 1, 6, 6},
     .qkv_bias = true},
    {.name = "qwen3",
     .config = "{\"model_type\":\"qwen3\"," GROUPED ",\"rms_norm_eps\":1e-5}",
     .prefix = "model.layers.1.self_attn.",
     .shape = {GROUPED_SHAPE},
     .qk_norm = true},
    {.name = "gemma2",
     .config = "{\"model_type\":\"gemma2\"," GROUPED ",\"query_pre_attn_scalar\":16}",
     .prefix = "model.layers.1.self_attn.",
     .shape = {GROUPED_SHAPE}},
    {.name = "gpt_oss",
     .config = "{\"model_type\":\"gpt_oss\"," GROUPED "}",
     .prefix = "model.layers.1.self_attn.",
     .shape = {GROUPED_SHAPE},
     .qkv_bias = true,
     .output_bias = true,
     .sinks = true},
    {.name = "gpt2",
     .config = "{\"model_type\":\"gpt2\",\"n_embd\":24,\"n_head\":4,\"n_layer\":3}",
     .prefix = "h.1.attn.",
     .shape = {24, 4, 4, 6, 6},
     .fused = true,
     .qkv_bias = true,
     .output_bias = true},
    {.name = "gpt2 with transformer",
     .config = "{\"model_type\":\"gpt2\",\"n_embd\":24,\"n_head\":4,\"n_layer\":3}",
     .prefix = "transformer.h.1.attn.",
     .shape = {24, 4, 4, 6, 6},
     .fused = true,
     .qkv_bias = true,
     .output_bias = true},
};

const ModelFamily *model_family(size_t index) {
  return index < COUNT_OF(families) ? &families[index] : NULL;
}

/* Bits that are no NaN, and small: exponents up to 2^-1. */
static uint16_t narrow_bits(float random, bool half) {
  const unsigned bits = (unsigned)((random + 1) * 0x1p15f) & 0xffff;
  return (uint16_t)(half ? bits & 0xbbff : (bits & 0x80ff) | 0x3e00);
}

static float narrow_value(uint16_t bits, bool half) {
  const int exponent_bits = half ? 5 : 8, fraction_bits = half ? 10 : 7;
  const int bias = half ? 15 : 127;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const double fraction = ldexp(bits & ((1 << fraction_bits) - 1), -fraction_bits);
  const double size =
      exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias);
  return (float)(bits >> 15 ? -size : size);
}

static void store(ModelFiles *files, size_t i, const char *dtype, size_t count) {
  AttendTensor *const tensor = &files->tensors[i];
  if (strcmp(dtype, "F32") == 0) return;
  const bool half = strcmp(dtype, "F16") == 0;
  uint16_t *const bits = new_bytes(count * sizeof *bits);
  for (size_t j = 0; j < count; j++) {
    bits[j] = narrow_bits(files->floats[i][j], half);
    files->floats[i][j] = narrow_value(bits[j], half);
  }
  tensor->dtype = dtype;
  tensor->data = files->stored[i] = bits;
  tensor->bytes = count * sizeof *bits;
}

/* Adds a tensor [rows, columns], or [rows] if columns is 0. */
static const float *add(ModelFiles *files, const char *dtype, const char *suffix, size_t rows,
                        size_t columns) {
  const size_t i = files->count++, count = rows * (columns > 0 ? columns : 1);
  const size_t dims[] = {rows, columns};
  snprintf(files->names[i], sizeof files->names[i], "%s%s", files->family->prefix, suffix);
  files->floats[i] = new_random(100 + i, 1, count);
  files->tensors[i] =
      attend_float_tensor(files->names[i], files->floats[i], dims, columns > 0 ? 2 : 1);
  store(files, i, dtype, count);
  return files->floats[i];
}

static void add_fused(const ModelFamily *family, const char *dtype, ModelFiles *files) {
  const size_t E = family->shape.width;
  files->source.qkv = add(files, dtype, "c_attn.weight", E, 3 * E);
  files->source.qkv_bias = add(files, dtype, "c_attn.bias", 3 * E, 0);
  files->source.output = add(files, dtype, "c_proj.weight", E, E);
  files->source.output_bias = add(files, dtype, "c_proj.bias", E, 0);
}

static void add_separate(const ModelFamily *family, const char *dtype, ModelFiles *files) {
  AttendWeightSource *const source = &files->source;
  const size_t E = family->shape.width, D = family->shape.head_dim;
  const size_t query = family->shape.query_heads * D, key = family->shape.kv_heads * D;
  source->orientation = ATTEND_OUT_IN;
  source->query = add(files, dtype, "q_proj.weight", query, E);
  source->key = add(files, dtype, "k_proj.weight", key, E);
  source->value = add(files, dtype, "v_proj.weight", key, E);
  source->output = add(files, dtype, "o_proj.weight", E, query);
  if (family->qkv_bias) {
    source->query_bias = add(files, dtype, "q_proj.bias", query, 0);
    source->key_bias = add(files, dtype, "k_proj.bias", key, 0);
    source->value_bias = add(files, dtype, "v_proj.bias", key, 0);
  }
  if (family->output_bias) source->output_bias = add(files, dtype, "o_proj.bias", E, 0);
  if (family->qk_norm) {
    source->query_norm = add(files, dtype, "q_norm.weight", D, 0);
    source->key_norm = add(files, dtype, "k_norm.weight", D, 0);
  }
  if (family->sinks) files->sinks = add(files, dtype, "sinks", family->shape.query_heads, 0);
}

void model_files_new(const ModelFamily *family, const char *dtype, ModelFiles *files) {
  *files = (ModelFiles){.family = family};
  attend_default_weight_source(&files->source);
  if (family->fused) {
    add_fused(family, dtype, files);
  } else {
    add_separate(family, dtype, files);
  }
}

void model_files_free(ModelFiles *files) {
  for (size_t i = 0; i < files->count; i++) {
    free(files->floats[i]);
    free(files->stored[i]);
  }
  *files = (ModelFiles){.family = NULL};
}

void model_files_write(const ModelFiles *files, const char *folder) {
  char path[SCRATCH_PATH_SIZE + 32], error[ATTEND_FILE_ERROR_SIZE];
  mkdir(folder, 0700);
  snprintf(path, sizeof path, "%s/config.json", folder);
  scratch_write(path, files->family->config, strlen(files->family->config));
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  if (attend_write_safetensors(path, files->tensors, files->count, NULL, 0, error, sizeof error) !=
      ATTEND_OK) {
    fail_msg("%s", error);
  }
}

size_t model_files_find(const ModelFiles *files, const char *suffix) {
  for (size_t i = 0; i < files->count; i++) {
    const size_t length = strlen(files->names[i]), tail = strlen(suffix);
    if (length >= tail && strcmp(files->names[i] + length - tail, suffix) == 0) return i;
  }
  fail_msg("%s has no tensor %s", files->family->name, suffix);
  return 0;
}
