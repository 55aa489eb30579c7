/* presets.c - the attention layers of published models, as data.
 *
 * Owns one constant table. Every number is either published as it stands or written as the division
 * that the model's own code does, so that a reader can check a row against its source without a
 * calculator. Names are lower-case and unique; the order of the table is the order of the index.
 * Nothing here is computed from a model's parameter count or guessed from its siblings.
 */
#include "attend/attend.h"

/* Columns of the table, with the name each has in a Hugging Face config.json:
 *   E    hidden_size (n_embd in gpt2)           Hq   num_attention_heads (n_head)
 *   Hk   num_key_value_heads (Hq if absent)     D    head_dim if stated, else E / Hq
 *   L    num_hidden_layers (n_layer)            Dv = D in all of these models
 * Bias: BIAS_QKV for q, k, v alone, as the code of qwen2 has it; BIAS_ALL for W_o too.
 */
#define BIAS_NONE .qkv_bias = false, .output_bias = false
#define BIAS_QKV .qkv_bias = true, .output_bias = false
#define BIAS_ALL .qkv_bias = true, .output_bias = true

#define HF(repository) repository " config.json on Hugging Face"
#define LLAMA "Touvron et al. 2023a (LLaMA), table 2"

#define MODEL(label, E, Hq, Hk, D, L, bias, origin)                                                \
  {                                                                                                \
    .name = label,                                                                                 \
    .shape = {.width = (E),                                                                        \
              .query_heads = (Hq),                                                                 \
              .kv_heads = (Hk),                                                                    \
              .head_dim = (D),                                                                     \
              .value_dim = (D)},                                                                   \
    .layers = (L), bias, .source = origin                                                          \
  }

/* clang-format off */
static const AttendModel presets[] = {
  /*    name             E     Hq  Hk  D          L   bias       source */
  MODEL("qwen2.5-0.5b",  896,  14, 2,   896 / 14, 24, BIAS_QKV,  HF("Qwen/Qwen2.5-0.5B")),
  MODEL("qwen2.5-1.5b",  1536, 12, 2,  1536 / 12, 28, BIAS_QKV,  HF("Qwen/Qwen2.5-1.5B")),
  MODEL("qwen2.5-3b",    2048, 16, 2,  2048 / 16, 36, BIAS_QKV,  HF("Qwen/Qwen2.5-3B")),
  MODEL("qwen2.5-7b",    3584, 28, 4,  3584 / 28, 28, BIAS_QKV,  HF("Qwen/Qwen2.5-7B")),
  MODEL("qwen2.5-14b",   5120, 40, 8,  5120 / 40, 48, BIAS_QKV,  HF("Qwen/Qwen2.5-14B")),
  MODEL("qwen2.5-32b",   5120, 40, 8,  5120 / 40, 64, BIAS_QKV,  HF("Qwen/Qwen2.5-32B")),
  MODEL("qwen2.5-72b",   8192, 64, 8,  8192 / 64, 80, BIAS_QKV,  HF("Qwen/Qwen2.5-72B")),

  /* Qwen3 states head_dim = 128 whatever E / Hq is: Hq * D differs from E in 0.6B, 4B and 32B. */
  MODEL("qwen3-0.6b",    1024, 16, 8,  128,       28, BIAS_NONE, HF("Qwen/Qwen3-0.6B")),
  MODEL("qwen3-1.7b",    2048, 16, 8,  128,       28, BIAS_NONE, HF("Qwen/Qwen3-1.7B")),
  MODEL("qwen3-4b",      2560, 32, 8,  128,       36, BIAS_NONE, HF("Qwen/Qwen3-4B")),
  MODEL("qwen3-8b",      4096, 32, 8,  128,       36, BIAS_NONE, HF("Qwen/Qwen3-8B")),
  MODEL("qwen3-14b",     5120, 40, 8,  128,       40, BIAS_NONE, HF("Qwen/Qwen3-14B")),
  MODEL("qwen3-32b",     5120, 64, 8,  128,       64, BIAS_NONE, HF("Qwen/Qwen3-32B")),

  /* The paper gives dimension, heads and layers; every query head has its own key/value head. */
  MODEL("llama-7b",      4096, 32, 32, 4096 / 32, 32, BIAS_NONE, LLAMA),
  MODEL("llama-13b",     5120, 40, 40, 5120 / 40, 40, BIAS_NONE, LLAMA),
  MODEL("llama-30b",     6656, 52, 52, 6656 / 52, 60, BIAS_NONE, LLAMA),
  MODEL("llama-65b",     8192, 64, 64, 8192 / 64, 80, BIAS_NONE, LLAMA),

  MODEL("llama2-70b",    8192, 64, 8,  8192 / 64, 80, BIAS_NONE, HF("meta-llama/Llama-2-70b-hf")),
  MODEL("llama3-8b",     4096, 32, 8,  4096 / 32, 32, BIAS_NONE, HF("meta-llama/Meta-Llama-3-8B")),
  MODEL("llama3-70b",    8192, 64, 8,  8192 / 64, 80, BIAS_NONE, HF("meta-llama/Meta-Llama-3-70B")),
  MODEL("llama3.2-1b",   2048, 32, 8,  64,        16, BIAS_NONE, HF("meta-llama/Llama-3.2-1B")),
  MODEL("llama3.2-3b",   3072, 24, 8,  128,       28, BIAS_NONE, HF("meta-llama/Llama-3.2-3B")),
  MODEL("mistral-7b",    4096, 32, 8,  4096 / 32, 32, BIAS_NONE, HF("mistralai/Mistral-7B-v0.1")),
  MODEL("gpt2-small",    768,  12, 12, 768 / 12,  12, BIAS_ALL,  HF("openai-community/gpt2")),

  /* Sizes of classroom exercises: one layer each, small enough to look at every matrix. */
  MODEL("class-1x512",   512,  1,  1,  512 / 1,   1,  BIAS_NONE, "class size: one head of 512"),
  MODEL("class-2x32",    64,   2,  2,  64 / 2,    1,  BIAS_NONE, "class size: two heads of 32"),
};
/* clang-format on */

#define PRESET_COUNT (sizeof presets / sizeof presets[0])

size_t attend_model_count(void) {
  return PRESET_COUNT;
}

const AttendModel *attend_model_at(size_t index) {
  return index < PRESET_COUNT ? &presets[index] : NULL;
}

static char to_lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* Not strcasecmp(): what is the lower case of 'I' there depends on the host program's locale. */
static bool same_name(const char *a, const char *b) {
  for (; *a != '\0' || *b != '\0'; a++, b++) {
    if (to_lower(*a) != to_lower(*b)) return false;
  }
  return true;
}

const AttendModel *attend_find_model(const char *name) {
  if (name == NULL) return NULL;
  for (size_t i = 0; i < PRESET_COUNT; i++) {
    if (same_name(name, presets[i].name)) return &presets[i];
  }
  return NULL;
}
