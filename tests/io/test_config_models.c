/* test_config_models.c - a preset, and what the reader makes of the fields that the model's own
 * config.json has, are the same model.
 *
 * The files hold every published field that reaches the attention layers, and some that do not.
 */
#include "tests/support/config_file.h"

#include <stdio.h>
#include <string.h>

/* 24 or 36 entries of gpt-oss. */
#define PAIR "\"sliding_attention\", \"full_attention\""
#define PAIRS_4 PAIR ", " PAIR ", " PAIR ", " PAIR
#define PAIRS_12 PAIRS_4 ", " PAIRS_4 ", " PAIRS_4
#define PAIRS_18 PAIRS_12 ", " PAIRS_4 ", " PAIR ", " PAIR

#define YARN                                                                                       \
  "\"rope_type\": \"yarn\", \"factor\": 32.0, \"beta_fast\": 32.0, \"beta_slow\": 1.0, "           \
  "\"truncate\": false, \"original_max_position_embeddings\": 4096"
#define LLAMA3(factor)                                                                             \
  "\"rope_theta\": 500000.0, \"rope_scaling\": {\"factor\": " factor                               \
  ", \"low_freq_factor\": 1.0, "                                                                   \
  "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192, "                        \
  "\"rope_type\": \"llama3\"}"
#define GPT_OSS                                                                                    \
  "{\"architectures\": [\"GptOssForCausalLM\"], \"attention_bias\": true, \"head_dim\": 64, "      \
  "\"hidden_size\": 2880, \"initial_context_length\": 4096, \"max_position_embeddings\": 131072, " \
  "\"model_type\": \"gpt_oss\", \"num_attention_heads\": 64, \"num_key_value_heads\": 8, "         \
  "\"rms_norm_eps\": 1e-05, \"sliding_window\": 128, "
#define GEMMA2                                                                                     \
  "{\"architectures\": [\"Gemma2ForCausalLM\"], \"attention_bias\": false, "                       \
  "\"attn_logit_softcapping\": 50.0, \"cache_implementation\": \"hybrid\", "                       \
  "\"final_logit_softcapping\": 30.0, \"max_position_embeddings\": 8192, "                         \
  "\"model_type\": \"gemma2\", \"rms_norm_eps\": 1e-06, \"rope_theta\": 10000.0, "                 \
  "\"sliding_window\": 4096, \"sliding_window_size\": 4096, "

/* clang-format off */
static const struct {
  const char *preset, *text;
} published[] = {
  {"llama-30b", "{\"hidden_size\": 6656, \"max_sequence_length\": 2048,"
   "\"model_type\": \"llama\", \"num_attention_heads\": 52, \"num_hidden_layers\": 60,"
   "\"rms_norm_eps\": 1e-06}"},
  {"llama2-70b", "{\"hidden_size\": 8192, \"max_position_embeddings\": 4096,"
   "\"model_type\": \"llama\", \"num_attention_heads\": 64, \"num_hidden_layers\": 80,"
   "\"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-05, \"rope_scaling\": null}"},
  {"llama3-8b", "{\"attention_bias\": false, \"hidden_size\": 4096,"
   "\"max_position_embeddings\": 8192, \"model_type\": \"llama\", \"num_attention_heads\": 32,"
   "\"num_hidden_layers\": 32, \"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-05,"
   "\"rope_scaling\": null, \"rope_theta\": 500000.0}"},
  {"llama3.1-8b", "{\"attention_bias\": false, \"hidden_size\": 4096,"
   "\"max_position_embeddings\": 131072, \"model_type\": \"llama\", \"num_attention_heads\": 32,"
   "\"num_hidden_layers\": 32, \"num_key_value_heads\": 8, " LLAMA3("8.0") "}"},
  {"llama3.2-1b", "{\"attention_bias\": false, \"head_dim\": 64, \"hidden_size\": 2048,"
   "\"max_position_embeddings\": 131072, \"model_type\": \"llama\", \"num_attention_heads\": 32,"
   "\"num_hidden_layers\": 16, \"num_key_value_heads\": 8, " LLAMA3("32.0") "}"},
  {"mistral-7b", "{\"hidden_size\": 4096, \"max_position_embeddings\": 32768,"
   "\"model_type\": \"mistral\", \"num_attention_heads\": 32, \"num_hidden_layers\": 32,"
   "\"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0,"
   "\"sliding_window\": 4096}"},
  {"qwen2.5-7b", "{\"attention_dropout\": 0.0, \"hidden_size\": 3584,"
   "\"max_position_embeddings\": 131072, \"max_window_layers\": 28, \"model_type\": \"qwen2\","
   "\"num_attention_heads\": 28, \"num_hidden_layers\": 28, \"num_key_value_heads\": 4,"
   "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"sliding_window\": 131072,"
   "\"use_mrope\": false, \"use_sliding_window\": false}"},
  {"qwen3-8b", "{\"attention_bias\": false, \"head_dim\": 128, \"hidden_size\": 4096,"
   "\"max_position_embeddings\": 40960, \"max_window_layers\": 36, \"model_type\": \"qwen3\","
   "\"num_attention_heads\": 32, \"num_hidden_layers\": 36, \"num_key_value_heads\": 8,"
   "\"rms_norm_eps\": 1e-06, \"rope_scaling\": null, \"rope_theta\": 1000000,"
   "\"sliding_window\": null, \"use_sliding_window\": false}"},
  {"gemma-2-2b", GEMMA2 "\"head_dim\": 256, \"hidden_size\": 2304, \"num_attention_heads\": 8,"
   "\"num_hidden_layers\": 26, \"num_key_value_heads\": 4, \"query_pre_attn_scalar\": 256}"},
  {"gemma-2-9b", GEMMA2 "\"head_dim\": 256, \"hidden_size\": 3584, \"num_attention_heads\": 16,"
   "\"num_hidden_layers\": 42, \"num_key_value_heads\": 8, \"query_pre_attn_scalar\": 256}"},
  {"gemma-2-27b", GEMMA2 "\"head_dim\": 128, \"hidden_size\": 4608, \"num_attention_heads\": 32,"
   "\"num_hidden_layers\": 46, \"num_key_value_heads\": 16, \"query_pre_attn_scalar\": 144}"},
  {"gpt-oss-20b", GPT_OSS "\"num_hidden_layers\": 24, \"layer_types\": [" PAIRS_12 "],"
   "\"rope_theta\": 150000, \"rope_scaling\": {" YARN "}}"},
  {"gpt-oss-120b", GPT_OSS "\"num_hidden_layers\": 36, \"layer_types\": [" PAIRS_18 "],"
   "\"rope_theta\": 150000, \"rope_scaling\": {" YARN "}}"},
  {"gpt2-small", "{\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05,"
   "\"model_type\": \"gpt2\", \"n_ctx\": 1024, \"n_embd\": 768, \"n_head\": 12, \"n_layer\": 12,"
   "\"n_positions\": 1024}"},

  /* The same models as newer versions of the software write them. */
  {"gpt-oss-20b", GPT_OSS "\"num_hidden_layers\": 24, \"layer_types\": [" PAIRS_12 "],"
   "\"rope_parameters\": {\"rope_theta\": 150000, " YARN "}}"},
  {"qwen3-8b", "{\"head_dim\": 128, \"hidden_size\": 4096, \"model_type\": \"qwen3\","
   "\"num_attention_heads\": 32, \"num_hidden_layers\": 36, \"num_key_value_heads\": 8,"
   "\"rope_parameters\": {\"rope_theta\": 1000000, \"rope_type\": \"default\"},"
   "\"sliding_window\": null, \"use_sliding_window\": false}"},

  /* And with nothing but what their own code cannot fill in. */
  {"gemma-2-2b", "{\"model_type\": \"gemma2\", \"hidden_size\": 2304, \"num_attention_heads\": 8,"
   "\"num_hidden_layers\": 26}"},
  {"gpt-oss-120b", "{\"model_type\": \"gpt_oss\", \"hidden_size\": 2880,"
   "\"num_attention_heads\": 64, \"num_hidden_layers\": 36}"},
  {"mistral-7b", "{\"model_type\": \"mistral\", \"hidden_size\": 4096, \"num_attention_heads\": 32,"
   "\"num_key_value_heads\": 8, \"num_hidden_layers\": 32}"},
};
/* clang-format on */

static void assert_same_rope(const char *name, const AttendRope *found, const AttendRope *preset) {
  if (found->pairing != preset->pairing || found->dims != preset->dims ||
      found->base != preset->base || found->scaling != preset->scaling ||
      found->factor != preset->factor || found->original_positions != preset->original_positions ||
      found->low_frequency_factor != preset->low_frequency_factor ||
      found->high_frequency_factor != preset->high_frequency_factor ||
      found->beta_fast != preset->beta_fast || found->beta_slow != preset->beta_slow ||
      found->attention_factor != preset->attention_factor ||
      found->untruncated != preset->untruncated) {
    fail_msg("%s: RoPE has pairing %d, %zu dims, base %g, scaling %d, factor %g, positions %g",
             name, found->pairing, found->dims, found->base, found->scaling, found->factor,
             found->original_positions);
  }
  assert_null(found->cos);
  assert_null(found->sin);
  assert_int_equal(found->table_positions, 0);
}

static void published_files_give_the_presets(void **state) {
  for (size_t i = 0; i < COUNT(published); i++) {
    const char *const name = published[i].preset;
    const AttendModel *const preset = attend_find_model(name);
    if (preset == NULL) fail_msg("no preset is named %s", name);
    AttendModel model;
    read_good(*state, published[i].text, &model);
    assert_memory_equal(&model.shape, &preset->shape, sizeof model.shape);
    assert_int_equal(model.layers, preset->layers);
    if (model.qkv_bias != preset->qkv_bias || model.output_bias != preset->output_bias ||
        model.qk_norm != preset->qk_norm || model.sinks != preset->sinks ||
        model.norm_epsilon != preset->norm_epsilon || model.scale != preset->scale ||
        model.softcap != preset->softcap) {
      fail_msg("%s: biases %d and %d, qk_norm %d of %g, sinks %d, scale %g, softcap %g", name,
               model.qkv_bias, model.output_bias, model.qk_norm, (double)model.norm_epsilon,
               model.sinks, (double)model.scale, (double)model.softcap);
    }
    assert_same_rope(name, &model.rope, &preset->rope);
    assert_int_equal(model.window, preset->window);
    assert_memory_equal(model.sliding, preset->sliding, sizeof model.sliding);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_files_give_the_presets),
  };
  return cmocka_run_group_tests_name("config_models", tests, make_folder, remove_folder);
}
