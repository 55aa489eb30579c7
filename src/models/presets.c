/* presets.c - the attention layers of published models, as data.
 *
 * Owns one constant table. Every number stands as it was published, or as the division that the
 * model's own code does: so a reader can check a row against its source without a calculator. Names
 * are lower-case and unique. The order of the table is the order of the index. No number is computed
 * from a model's parameter count or guessed from its siblings.
 */
#include "attend/attend.h"

/* Columns of the table, with the name each has in a Hugging Face config.json:
 *   E    hidden_size (n_embd in gpt2)           Hq   num_attention_heads (n_head)
 *   Hk   num_key_value_heads (Hq if absent)     D    head_dim if stated, else E / Hq
 *   L    num_hidden_layers (n_layer)            Dv = D in all of these models
 * `family` is what all sizes of a model share: biases, RoPE, and what is done to the scores. */
#define MODEL(label, E, Hq, Hk, D, L, family, origin)                                              \
  .name = label,                                                                                   \
  .shape = {.width = (E),                                                                          \
            .query_heads = (Hq),                                                                   \
            .kv_heads = (Hk),                                                                      \
            .head_dim = (D),                                                                       \
            .value_dim = (D)},                                                                     \
  .layers = (L), family, .source = origin

#define HF(repository) repository " config.json on Hugging Face"
#define LLAMA1_PAPER "Touvron et al. 2023a (LLaMA), table 2"

/* Biases: on q, k, v alone, as the code of qwen2 has it, or on W_o too. */
#define BIAS_NONE .qkv_bias = false, .output_bias = false
#define BIAS_QKV .qkv_bias = true, .output_bias = false
#define BIAS_ALL .qkv_bias = true, .output_bias = true

/* RoPE: rope_theta, then type, factor and original_max_position_embeddings of rope_scaling. Fields
 * that a model does not state are as attend_default_rope() fills them. Weights are in the order of
 * Hugging Face, which pairs the halves of a head. YaRN is without truncation, as gpt-oss has it. */
#define ROPE_FIELDS(pairs, theta, type, times, positions, fractional)                              \
  .rope = {.pairing = (pairs),                                                                     \
           .base = (theta),                                                                        \
           .scaling = (type),                                                                      \
           .factor = (times),                                                                      \
           .original_positions = (positions),                                                      \
           .low_frequency_factor = 1,                                                              \
           .high_frequency_factor = 4,                                                             \
           .beta_fast = 32,                                                                        \
           .beta_slow = 1,                                                                         \
           .untruncated = (fractional)}
#define ROPE_NONE ROPE_FIELDS(ATTEND_ROPE_NONE, 10000, ATTEND_ROPE_UNSCALED, 1, 8192, false)
#define ROPE(theta) ROPE_FIELDS(ATTEND_ROPE_HALF, theta, ATTEND_ROPE_UNSCALED, 1, 8192, false)
#define ROPE_LLAMA3(theta, times)                                                                  \
  ROPE_FIELDS(ATTEND_ROPE_HALF, theta, ATTEND_ROPE_LLAMA3, times, 8192, false)
#define ROPE_YARN(theta, times, positions)                                                         \
  ROPE_FIELDS(ATTEND_ROPE_HALF, theta, ATTEND_ROPE_YARN, times, positions, true)

/* Layers with the sliding window: of up to 64, all or every second one from layer 0 on. */
#define FIRST_LAYERS(L) (UINT64_MAX >> (64 - (L)))
#define WINDOW_ON_ALL(keys, L) .window = (keys), .sliding = {FIRST_LAYERS(L)}
#define WINDOW_ON_EVEN(keys, L)                                                                    \
  .window = (keys), .sliding = {UINT64_C(0x5555555555555555) & FIRST_LAYERS(L)}

/* Families. Gemma 2 states query_pre_attn_scalar, of which the scale is one over the root. */
#define CLASS BIAS_NONE, ROPE_NONE
#define GPT2 BIAS_ALL, ROPE_NONE
#define LLAMA1 BIAS_NONE, ROPE(10000)
#define LLAMA2 BIAS_NONE, ROPE(10000)
#define LLAMA3 BIAS_NONE, ROPE(500000)
#define LLAMA3_1 BIAS_NONE, ROPE_LLAMA3(500000, 8)
#define LLAMA3_2 BIAS_NONE, ROPE_LLAMA3(500000, 32)
#define MISTRAL(L) BIAS_NONE, ROPE(10000), WINDOW_ON_ALL(4096, L)
#define QWEN2_5 BIAS_QKV, ROPE(1000000)
#define QWEN3 BIAS_NONE, ROPE(1000000), .qk_norm = true, .norm_epsilon = 1e-6f
#define GEMMA2(L, root)                                                                            \
  BIAS_NONE, ROPE(10000), WINDOW_ON_EVEN(4096, L), .softcap = 50, .scale = 1.0f / (root)
#define GPT_OSS(L) BIAS_ALL, ROPE_YARN(150000, 32, 4096), WINDOW_ON_EVEN(128, L), .sinks = true

/* clang-format off */
static const AttendModel presets[] = {
  /*    name             E     Hq  Hk  D          L   family    source */
  {MODEL("qwen2.5-0.5b",  896,  14, 2,   896 / 14, 24, QWEN2_5,  HF("Qwen/Qwen2.5-0.5B"))},
  {MODEL("qwen2.5-1.5b",  1536, 12, 2,  1536 / 12, 28, QWEN2_5,  HF("Qwen/Qwen2.5-1.5B"))},
  {MODEL("qwen2.5-3b",    2048, 16, 2,  2048 / 16, 36, QWEN2_5,  HF("Qwen/Qwen2.5-3B"))},
  {MODEL("qwen2.5-7b",    3584, 28, 4,  3584 / 28, 28, QWEN2_5,  HF("Qwen/Qwen2.5-7B"))},
  {MODEL("qwen2.5-14b",   5120, 40, 8,  5120 / 40, 48, QWEN2_5,  HF("Qwen/Qwen2.5-14B"))},
  {MODEL("qwen2.5-32b",   5120, 40, 8,  5120 / 40, 64, QWEN2_5,  HF("Qwen/Qwen2.5-32B"))},
  {MODEL("qwen2.5-72b",   8192, 64, 8,  8192 / 64, 80, QWEN2_5,  HF("Qwen/Qwen2.5-72B"))},

  /* Qwen3 states head_dim = 128 whatever E / Hq is: Hq * D differs from E in 0.6B, 4B and 32B. */
  {MODEL("qwen3-0.6b",    1024, 16, 8,  128,       28, QWEN3,    HF("Qwen/Qwen3-0.6B"))},
  {MODEL("qwen3-1.7b",    2048, 16, 8,  128,       28, QWEN3,    HF("Qwen/Qwen3-1.7B"))},
  {MODEL("qwen3-4b",      2560, 32, 8,  128,       36, QWEN3,    HF("Qwen/Qwen3-4B"))},
  {MODEL("qwen3-8b",      4096, 32, 8,  128,       36, QWEN3,    HF("Qwen/Qwen3-8B"))},
  {MODEL("qwen3-14b",     5120, 40, 8,  128,       40, QWEN3,    HF("Qwen/Qwen3-14B"))},
  {MODEL("qwen3-32b",     5120, 64, 8,  128,       64, QWEN3,    HF("Qwen/Qwen3-32B"))},

  /* The paper gives dimension, heads and layers; every query head has its own key/value head. The
   * base of RoPE is that of Su et al. 2021, which the paper follows. */
  {MODEL("llama-7b",      4096, 32, 32, 4096 / 32, 32, LLAMA1,   LLAMA1_PAPER)},
  {MODEL("llama-13b",     5120, 40, 40, 5120 / 40, 40, LLAMA1,   LLAMA1_PAPER)},
  {MODEL("llama-30b",     6656, 52, 52, 6656 / 52, 60, LLAMA1,   LLAMA1_PAPER)},
  {MODEL("llama-65b",     8192, 64, 64, 8192 / 64, 80, LLAMA1,   LLAMA1_PAPER)},

  {MODEL("llama2-70b",    8192, 64, 8,  8192 / 64, 80, LLAMA2,   HF("meta-llama/Llama-2-70b-hf"))},
  {MODEL("llama3-8b",     4096, 32, 8,  4096 / 32, 32, LLAMA3,   HF("meta-llama/Meta-Llama-3-8B"))},
  {MODEL("llama3-70b",    8192, 64, 8,  8192 / 64, 80, LLAMA3,   HF("meta-llama/Meta-Llama-3-70B"))},
  {MODEL("llama3.1-8b",   4096, 32, 8,  4096 / 32, 32, LLAMA3_1, HF("meta-llama/Llama-3.1-8B"))},
  {MODEL("llama3.2-1b",   2048, 32, 8,  64,        16, LLAMA3_2, HF("meta-llama/Llama-3.2-1B"))},
  {MODEL("llama3.2-3b",   3072, 24, 8,  128,       28, LLAMA3_2, HF("meta-llama/Llama-3.2-3B"))},

  {MODEL("mistral-7b",    4096, 32, 8,  4096 / 32, 32, MISTRAL(32),
        HF("mistralai/Mistral-7B-v0.1"))},
  {MODEL("gemma-2-2b",    2304, 8,  4,  256,       26, GEMMA2(26, 16 /* of 256 */),
        HF("google/gemma-2-2b"))},
  {MODEL("gemma-2-9b",    3584, 16, 8,  256,       42, GEMMA2(42, 16 /* of 256 */),
        HF("google/gemma-2-9b"))},
  {MODEL("gemma-2-27b",   4608, 32, 16, 128,       46, GEMMA2(46, 12 /* of 144 */),
        HF("google/gemma-2-27b"))},
  {MODEL("gpt-oss-20b",   2880, 64, 8,  64,        24, GPT_OSS(24), HF("openai/gpt-oss-20b"))},
  {MODEL("gpt-oss-120b",  2880, 64, 8,  64,        36, GPT_OSS(36), HF("openai/gpt-oss-120b"))},
  {MODEL("gpt2-small",    768,  12, 12, 768 / 12,  12, GPT2,     HF("openai-community/gpt2"))},

  /* Sizes of classroom exercises: one layer each, small enough to look at every matrix. */
  {MODEL("class-1x512",   512,  1,  1,  512 / 1,   1,  CLASS,    "class size: one head of 512")},
  {MODEL("class-2x32",    64,   2,  2,  64 / 2,    1,  CLASS,    "class size: two heads of 32")},
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

/* Not strcasecmp(), whose lower case of 'I' depends on the host program's locale. */
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
